"""What the vendors would not stand for is found before any call that writes."""

from __future__ import annotations

import pytest
from mapping_samples import BOTH, SMALL, capabilities, schema, small

from mappings.check import lint
from mappings.load import load_text
from syncline.ports import FieldInfo

CRM = schema(
    "people",
    FieldInfo("mail", "email"),
    FieldInfo("note", "text"),
    FieldInfo("born", "date"),
    FieldInfo("seen", "instant"),
    FieldInfo("out", "boolean", consent=True),
    FieldInfo("test", "boolean"),
    FieldInfo("score", "number"),
    FieldInfo("stage", "choice", options=("lead", "sql")),
    FieldInfo("tags", "set"),
    FieldInfo("short", "text", max_length=10),
    FieldInfo("long", "text", max_length=60),
)
MARKETING = schema(
    "members",
    FieldInfo("address", "email", required=True),
    FieldInfo("id", "text", required=True, writable=False),
    FieldInfo("note", "text", max_length=40),
    FieldInfo("born", "date"),
    FieldInfo("status", "choice", consent=True, options=("yes", "no")),
    FieldInfo("stars", "number", writable=False),
    FieldInfo("stage", "choice", options=("L", "S")),
    FieldInfo("tags", "text"),
)
SCHEMAS = {"crm": CRM, "marketing": MARKETING}
STATUS = "marketing: {yes: in, no: out}"
RANKED = "conflict: {rule: most_restrictive, order: [in, out], silent: [unknown]}"

# A field's declaration, how bad it is, what is said.
TABLE = [
    ("{crm: nota, marketing: note}", "error", "crm has no field nota: did you mean note?"),
    ("{crm: score, marketing: stars, type: number}", "error", "marketing stars is read-only: write direction: to_crm"),
    ("{crm: note, marketing: note}", "warning", "marketing note holds 40 characters: longer values would be refused"),
    ("{crm: note, marketing: note, transform: {marketing: {text: {max: 50}}}}", "warning", "fewer than text max 50: lower it"),
    ("{crm: seen, marketing: born, type: date}", "error", "f has type date, crm seen type instant: name the zone"),
    ("{crm: seen, marketing: born, type: instant}", "error", "a date has no time of day"),
    ("{crm: long, marketing: note}", "warning", "marketing note holds 40 characters"),
    ("{crm: short, marketing: note, direction: to_marketing}", "", ""),
    ("{crm: score, marketing: note}", "error", "f has type text, crm score type number"),
    ("{crm: note, marketing: born, type: date, transform: {crm: {instant: {zone: UTC}}}, direction: to_crm}", "", ""),
    ("{crm: tags, marketing: tags, type: set}", "error", "say what separates its members: transform: {marketing: {split: …}}"),
    ("{crm: tags, marketing: tags, type: set, transform: {marketing: {split: ';'}}}", "", ""),
    (
        "{crm: stage, marketing: stage, transform: {choices: {a: [lead, L], b: [sqll, S]}}}",
        "error",
        "no option sqll (for b): did you mean sql?",
    ),
    (
        "{crm: stage, marketing: stage, transform: {choices: {a: [lead, [L, S]]}}}",
        "warning",
        "crm stage can be sql, which the table does not know",
    ),
    (
        "{crm: stage, marketing: stage, transform: {choices: {crm: {lead: a, sql: b}, marketing: {L: a, S: a}}}}",
        "warning",
        "has no word for b",
    ),
    ("{crm: note, marketing: stage}", "warning", "marketing stage takes only L, S"),
    ("{crm: note, marketing: status}", "error", "marketing status is consent: write transform"),
    ("{crm: note, marketing: status, direction: to_crm}", "", ""),
    (
        f"{{crm: test, marketing: status, transform: {{consent: {{crm: {{true: out, false: unknown}}, {STATUS}}}}}, {RANKED}}}",
        "error",
        "crm test is not consent to its vendor",
    ),
    (
        f"{{crm: out, marketing: status, transform: {{consent: {{crm: {{true: out, false: unknown}}, {STATUS}}}}}, {RANKED}}}",
        "",
        "",
    ),
    (
        f"{{crm: out, marketing: status, transform: {{consent: {{crm: {{1: out, false: unknown}}, {STATUS}}}}}, {RANKED}}}",
        "error",
        "crm out has no option 1 (for out): use one of false, true",
    ),
]


@pytest.mark.parametrize(("declaration", "severity", "said"), TABLE)
def test_what_is_said_of_a_field(declaration: str, severity: str, said: str) -> None:
    found = lint(small(f"f: {declaration}"), SCHEMAS, BOTH)
    if not said:
        assert found == []
    assert not said or any((p.file, p.line, p.severity) == ("small.yaml", 9, severity) and said in p.text for p in found), found


def test_newest_needs_a_side_that_tells_the_time() -> None:
    timeless = {"crm": capabilities(), "marketing": capabilities("none")}
    text = SMALL.replace("type: email}", "type: email, conflict: {rule: fill_blank, then: newest}}")
    (found,) = lint(load_text(text, "m.yaml"), SCHEMAS, timeless)
    assert (found.line, found.severity) == (8, "error")
    assert "marketing does not say when a value changed" in found.text
    assert lint(load_text(text, "m.yaml"), SCHEMAS, BOTH) == []
    one_way = SMALL.replace("type: email}", "type: email, conflict: hold}\n  f: {crm: short, marketing: note, direction: to_marketing}")
    assert lint(load_text(one_way), SCHEMAS, timeless) == [], "one way there is nothing to decide"


def test_a_required_field_needs_a_source() -> None:
    text = SMALL.replace("fields:", "defaults: {direction: to_crm}\nfields:").replace(
        "type: email}", "type: email}\n  f: {crm: note, marketing: tags}"
    )
    assert lint(load_text(text), SCHEMAS, BOTH) == [], "nothing is ever created in marketing"
    text = text.replace("marketing: tags}", "marketing: tags, direction: both}")
    assert [(p.line, p.text) for p in lint(load_text(text), SCHEMAS, BOTH)] == [
        (8, "marketing requires address, and nothing here writes it: map it, or give it a const"),
    ]


def test_one_account_cannot_be_both_sides() -> None:
    text = SMALL.replace("connector: b, object: members", "connector: a, object: people")
    first = lint(load_text(text), SCHEMAS, BOTH)[0]
    assert first.text.startswith("both sides are the same account")


def test_a_condition_on_a_native_field_that_is_not_there() -> None:
    text = SMALL.replace("fields:", "scope: {crm: {not: {field: is_test, is: true}}}\nfields:")
    assert [(p.line, p.text) for p in lint(load_text(text), SCHEMAS, BOTH)] == [
        (7, "crm has no field is_test, nor has this mapping: did you mean test?"),
    ]
