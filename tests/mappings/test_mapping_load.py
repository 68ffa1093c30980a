"""The loader says everything that is wrong at once, each on its line, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from mapping_samples import SMALL, small

from mappings.consistency_fields import ON_TYPES, RULES
from mappings.declared import TYPE_OF
from mappings.load import load, load_text
from mappings.schema import ConflictModel
from syncline.errors import MappingError

STAGE = "transform: {choices: {lead: [l, L], sql: [s, S]}}"
TABLE = "transform: {consent: {crm: {true: out, false: unknown}, marketing: {yes: in, no: out}}}"
RANKED = "conflict: {rule: most_restrictive, order: [in, out], silent: [unknown]}"

# A field's declaration (on line 9), and what is said of it.
FIELDS = [
    ("crm: c", "has no marketing name: write marketing: <native name>"),
    ("crm: c, marketing: m, direktion: both", "fields.f.direktion is not known here: did you mean direction?"),
    ("crm: c, marketing: m, direction: to_crn", "'to_crn' is not known here: did you mean to_crm?"),
    ("crm: c, marketing: m, type: fone", "'fone' is not known here: did you mean phone?"),
    ("crm: c, marketing: m, transform: {tekst: {max: 3}}", "fields.f.transform.tekst is not known here: did you mean text?"),
    ("crm: c, marketing: m, transform: {date: {}}", "is a type, not a transform: write type: date"),
    ("crm: c, marketing: m, transform: {text: {max: '3'}}", "fields.f.transform.text.max: Input should be a valid integer"),
    ("crm: c, marketing: m, transform: {crm: {txt: {}}}", "fields.f.transform.crm.txt is not known here: did you mean text?"),
    ("crm: c, marketing: m, transform: {phone: {region: XX}}", "there is no region XX"),
    ("crm: c, marketing: m, transform: {instant: {zone: Europe/Dublim}}", "no time zone Europe/Dublim: did you mean Europe/Dublin?"),
    ("crm: c, marketing: m, type: date, transform: {crm: {instant: {}}}", "a date is not an instant: name the zone"),
    ("crm: c, marketing: m, type: date, transform: {instant: {zone: UTC}}", "both sides are instants"),
    ("crm: c, marketing: m, type: date, transform: {scale: {factor: 2}}", "scale is for type number, not date"),
    ("crm: c, marketing: m, transform: {choices: {a: [x]}}", "a: write [crm value, marketing value]"),
    ("crm: c, marketing: m, transform: {choices: {a: [x, X], b: [x, Y]}}", "'x' of crm is listed twice"),
    ("crm: c, marketing: m, transform: {choices: {crm: {x: a}}}", "there is no way back to marketing: write direction: to_crm"),
    ("crm: c, marketing: m, transform: {consent: {a: [x, X]}}", "write {crm: {native: meaning, …}"),
    ("crm: c, marketing: m, conflict: {rule: newst}", "'newst' is not known here: did you mean newest?"),
    ("crm: c, marketing: m, conflict: {rule: prefer}", "rule prefer needs side: write it"),
    ("crm: c, marketing: m, conflict: {rule: hold, skew: 2m}", "rule hold takes no skew: it belongs to newest"),
    ("crm: c, marketing: m, conflict: {rule: newest, skew: soon}", "write a whole number and a unit, such as 30s"),
    ("crm: c, marketing: m, conflict: {rule: newest, may_regress: crm}", "takes no may_regress: it belongs to furthest"),
    ("crm: c, marketing: m, conflict: {rule: fill_blank, then: prefer}", "rule prefer needs side"),
    ("crm: c, marketing: m, conflict: {rule: fill_blank, then: fill_blank}", "fill_blank never decides"),
    ("crm: c, marketing: m, conflict: union", "union joins sets, and this is a text"),
    (f"crm: c, marketing: m, {STAGE}, conflict: {{rule: furthest, order: [lead]}}", "sql is a choice the order misses"),
    (f"crm: c, marketing: m, {STAGE}, conflict: {{rule: furthest, order: [lead, sq, sql]}}", "no native value means: did you mean sql?"),
    (f"crm: c, marketing: m, {STAGE}, conflict: {{rule: furthest, order: [lead, sql, lead]}}", "lead stands twice"),
    (f"crm: c, marketing: m, {STAGE}, conflict: furthest", "rule furthest needs order"),
    ("crm: c, marketing: m, grant: {requires: [source], writes: x}", "grant is for consent"),
    (f"crm: c, marketing: m, {STAGE}, grant: {{requires: [at], writes: lead}}", "grant needs conflict: {rule: most_restrictive"),
    (f"crm: c, marketing: m, {TABLE}, {RANKED}, grant: {{requires: [at], writes: inn}}", "no native value means inn: did you mean in?"),
    (f"crm: c, marketing: m, {TABLE}, {RANKED}, grant: {{requires: [why], writes: in}}", "'why' is not known here: use one of at, source"),
    (f"crm: c, marketing: m, {TABLE}", "consent under rule newest could grant it"),
    (f"crm: c, marketing: m, {TABLE}, {RANKED}, on_blank: clear", "a blank never changes consent"),
    ("crm: c, marketing: m, direction: to_crm, required_in: marketing", "required in marketing, but never travels there"),
    ("crm: mail, marketing: m", "f and email both write crm mail"),
    ("marketing: m, transform: {const: {marketing: x}}, direction: to_marketing", "add when: create"),
    ("marketing: m, transform: {const: {marketing: x}}, when: create", "no way back to crm: write direction: to_marketing"),
    ("crm: c, marketing: m, transform: {const: {marketing: x}}, when: create, direction: to_marketing", "nothing is read from crm"),
    ("crm: c, marketing: m, transform: {crm: {name: {part: middle}}}", "'middle' is not known here: use one of first, last"),
    ("crm: c, marketing: m, transform: {name: {part: first}, phone: {}}", "name does not go together with phone"),
]  # fmt: skip


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(MappingError) as caught:
        load_text(text, "m.yaml")
    return caught.value.problems


@pytest.mark.parametrize(("declaration", "said"), FIELDS)
def test_what_is_wrong_with_a_field(declaration: str, said: str) -> None:
    found = problems(f"{SMALL}  f: {{{declaration}}}\n")
    assert any(one.startswith("m.yaml:9: ") and said in one for one in found), found


# What replaces what in the small mapping, on which line the problem is, and what is said.
WHOLES = [
    ("version: 1", "version: 2", 1, "version: 2 is not known here"),
    ("version: 1\n", "", 1, "version is missing: write it"),
    ("name: small", "nam: small", 2, "nam is not known here: did you mean name?"),
    ("name: small", "name: small\nname: big", 3, "name is written twice (first on line 2): keep one"),
    ("connector: a, ", "", 4, "sides.crm.connector is missing"),
    ("match: [email]", "match: [e_mail]", 6, "there is no field e_mail: did you mean email?"),
    ("match: [email]", "match: []", 6, "identity.match: List should have at least 1 item"),
    ("match: [email]", "match: [email], on_ambiguous: guess", 6, "'guess' is not known here: use one of hold"),
    ("fields:", "scope: {crm: {field: emial, is: present}}\nfields:", 7, "there is no field emial: did you mean email?"),
    ("fields:", "scope: {crm: {all: [{field: email}]}}\nfields:", 7, "scope.crm.all.0: say what email must be"),
    ("fields:", "scope: {crm: {is: 3}}\nfields:", 7, "write exactly one of all, any, not, field"),
    ("fields:", "scope: {crm: {any: [], field: email, is: x}}\nfields:", 7, "write exactly one of all, any, not, field"),
    ("fields:", "policy:\n  create:\n    crm: {field: mail, is: x}\nfields:", 9, "there is no field mail: did you mean email?"),
    ("fields:", "policy:\n  limits: {deletes: lots}\nfields:", 8, "write a share such as 1%"),
    ("fields:", "policy:\n  limits: {deletes: 101%}\nfields:", 8, "write a share such as 1%"),
    ("fields:", "policy:\n  delete: {seen_in_crm: purge}\nfields:", 8, "'purge' is not known here: use one of archive, keep, unlink"),
    ("fields:", "defaults: {conflict: {rule: newest, tie: cmr}}\nfields:", 7, "'cmr' is not known here: did you mean crm?"),
    ("type: email}", "type: email", 9, "not YAML: "),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "said"), WHOLES)
def test_what_is_wrong_with_the_rest(old: str, new: str, line: int, said: str) -> None:
    assert old in SMALL
    found = problems(SMALL.replace(old, new, 1))
    assert any(one.startswith(f"m.yaml:{line}: ") and said in one for one in found), found


def test_a_value_that_a_choice_never_has() -> None:
    scope = SMALL.replace("fields:", "scope: {crm: {field: f, in: [lead, sqll]}}\nfields:")
    found = problems(f"{scope}  f: {{crm: c, marketing: m, {STAGE}}}\n")
    assert found == ("m.yaml:7: f is never sqll: did you mean sql?",)


def test_all_problems_are_said_at_once_in_the_order_of_lines() -> None:
    text = SMALL.replace("match: [email]", "match: [mail]").replace("name: small", "name: small\ncolour: red")
    text += "  a: {crm: c, marketing: m, conflict: {rule: prefer}}\n  b: {crm: d, marketin: n}\n  c: {crm: mail, marketing: o}\n"
    assert [one.split(": ")[0] for one in problems(text)] == ["m.yaml:3", "m.yaml:7", "m.yaml:10", "m.yaml:11", "m.yaml:12"]


def test_a_faulty_field_is_not_called_unknown_as_well() -> None:
    text = SMALL.replace("type: email", "typ: email").replace("fields:", "policy: {create: {crm: {field: email, is: present}}}\nfields:")
    text += "  note: {crm: n, marketing: n}\n"
    assert problems(text) == ("m.yaml:9: fields.email.typ is not known here: did you mean type?",)


@pytest.mark.parametrize("text", ["", "[]", "3", "a: &x [*x]", "\t", "a: !!python/object:os.system x", "? [a]\n: b\n", "fields: {3: 4}"])
def test_strange_files_are_refused_in_words(text: str) -> None:
    assert all(one.startswith("m.yaml:") for one in problems(text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"none\.yaml:1: cannot read this file: No such file"):
        load(tmp_path / "none.yaml")


def test_lines_of_a_good_mapping() -> None:
    loaded = small("f: {crm: c, marketing: m}")
    assert loaded.line("fields", "f", "crm") == 9
    assert loaded.line("fields", "f", "conflict", "rule") == 9, "a place that is not written is its nearest around"
    assert loaded.line("policy", "limits") == 1


def test_every_word_of_the_language_is_judged() -> None:
    """A transform nobody gave a type, or a rule parameter nobody owns, would slip through."""
    assert set(TYPE_OF) == set(ON_TYPES)
    assert {word for needs, may in RULES.values() for word in needs | may} == set(ConflictModel.model_fields) - {"rule"}


def test_a_third_match_key_is_refused_rather_than_left_unused() -> None:
    with pytest.raises(MappingError) as refused:
        load_text(SMALL.replace("match: [email]", "match: [email, email, email]"))
    assert [p for p in refused.value.problems if p.startswith("mapping.yaml:6:") and "at most 2" in p]
