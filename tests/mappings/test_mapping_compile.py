"""What a mapping compiles to: rules, natives, keys, policy, conditions; and a version that names its meaning."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from mapping_samples import SMALL, field, small

from mappings.compile import compile_mapping
from mappings.load import load_text
from mappings.predicates import predicate
from mappings.schema import PredicateModel
from syncline.mapping import CompiledMapping, Limit, Rule
from syncline.records import MISSING

RICH = """\
version: 1
name: rich
sides:
  crm: {connector: a, object: people, options: {x: 1, y: [2]}}
  marketing: {connector: b, object: members}
identity: {match: [email, phone]}
scope:
  crm: {all: [{field: is_test, is_not: true}, {field: stage, in: [lead, sql]}]}
  on_leave: unlink
policy:
  create: {crm: {field: stage, is: sql}}
  delete: {seen_in_crm: archive}
  limits: {deletes: 50, blanks: unlimited}
defaults: {conflict: {rule: newest, tie: marketing, skew: 2m}, on_blank: {crm: clear}}
fields:
  email: {crm: mail, marketing: address, type: email, conflict: {rule: prefer, side: crm}, required_in: marketing}
  phone: {crm: tel, marketing: tel, transform: {phone: {region: IE}}, conflict: {rule: fill_blank, then: newest}, on_blank: ignore}
  stage:
    crm: st
    marketing: st
    transform: {choices: {lead: [[l, m], L], sql: [s, S]}}
    conflict: {rule: furthest, order: [lead, sql], may_regress: crm}
  origin: {marketing: src, transform: {const: {marketing: import}}, direction: to_marketing, when: create}
  consent:
    crm: out
    marketing: status
    transform: {consent: {crm: {true: out, false: unknown}, marketing: {yes: in, ask: pending, no: out}}}
    conflict: {rule: most_restrictive, order: [in, pending, out], silent: [unknown]}
    grant: {requires: [source, at], writes: pending}
"""


def rich(text: str = RICH) -> CompiledMapping:
    return compile_mapping(load_text(text, "rich.yaml"))


def test_sides_ask_for_each_native_once_in_order() -> None:
    sides = rich().sides
    assert sides["crm"].native == ("mail", "tel", "st", "out", "is_test")
    assert sides["marketing"].native == ("address", "tel", "st", "src", "status")
    assert sides["crm"].options == {"x": 1, "y": [2]}


def test_rules_inherit_from_the_defaults() -> None:
    rules = {f.name: f.rule for f in rich().fields}
    newest = Rule("newest", tie="marketing", skew_us=120_000_000)
    assert rules["email"] == Rule("prefer", side="crm", tie="marketing", skew_us=120_000_000)
    assert rules["phone"] == dataclasses.replace(newest, name="fill_blank", then=newest)
    assert rules["stage"] == dataclasses.replace(newest, name="furthest", order=("lead", "sql"), may_regress="crm")
    assert rules["origin"] == newest


def test_fields_carry_what_was_declared() -> None:
    mapping = rich()
    phone, origin, consent = mapping.field("phone"), mapping.field("origin"), mapping.field("consent")
    assert mapping.field("email").required_in == {"marketing"}
    assert mapping.field("email").on_blank == {"crm": "clear", "marketing": "ignore"}
    assert phone.on_blank == {"crm": "ignore", "marketing": "ignore"}
    assert consent.on_blank == {"crm": "ignore", "marketing": "ignore"}, "a blank is no evidence of consent"
    assert (phone.type, consent.type, consent.consent) == ("phone", "choice", True)
    assert consent.grant is not None
    assert (consent.grant.requires, consent.grant.writes) == (("source", "at"), "pending")
    assert origin.create_only
    assert origin.lenses["crm"].get({}) == "import"
    assert origin.lenses["marketing"].put("import", {}) == {"src": "import"}
    assert not origin.lenses["crm"].two_way


def test_policy() -> None:
    policy = rich().policy
    assert policy.delete_seen_in == {"crm": "archive", "marketing": "unlink"}
    assert (policy.on_leave, policy.erasure, policy.empty_side) == ("unlink", "both", "stop")
    assert policy.limits == {
        "deletes": Limit(count=50),
        "blanks": Limit(),
        "unsubscribes": Limit(share=0.05),
        "overwrites": Limit(share=0.2),
    }
    assert policy.scope["crm"]({"stage": "sql"}, {"is_test": None})
    assert not policy.scope["crm"]({"stage": "sql"}, {"is_test": "true"})
    assert policy.scope["marketing"]({}, {})
    assert policy.create["crm"]({"stage": "sql"}, {})
    assert not policy.create["crm"]({"stage": "lead"}, {})


def test_match_keys_fold_spelling_and_recognise_nobody_by_what_cannot_be_read() -> None:
    email, phone = rich().match
    assert email.key["crm"]({"mail": " Ann@People.example"}) == email.key["marketing"]({"address": "ann@people.example"})
    assert phone.key["crm"]({"tel": "087 123 4567"}) == "+353871234567"
    assert [phone.key["crm"](native) for native in ({}, {"tel": None}, {"tel": "ask Mary"})] == [None, None, None]


SAME = [
    ("# nothing\nversion: 1", "version: 1"),
    ("{crm: mail, marketing: address, type: email,", "{type: email, marketing: 'address', crm: \"mail\","),
    ("required_in: marketing", "required_in: [marketing]"),
    ("type: email,", "type: email, direction: both,"),
    ("deletes: 50,", "deletes: 50, overwrites: 20%, empty_side: stop,"),
    ("skew: 2m", "skew: 120s"),
    ("then: newest", "then: {rule: newest, tie: marketing}"),
    ("{lead: [[l, m], L], sql: [s, S]}", "{sql: [s, [S]], lead: [[l, m], L]}"),
    ("{lead: [[l, m], L], sql: [s, S]}", "{crm: {s: sql, l: lead, m: lead}, marketing: {S: sql, L: lead}}"),
    ("requires: [source, at]", "requires: [at, source]"),
    ("on_blank: {crm: clear}", "on_blank: {marketing: ignore, crm: clear}"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_writing_the_same_differently_keeps_the_version(one: str, two: str) -> None:
    old, new = (one, two) if one in RICH else (two, one)
    assert old in RICH
    assert rich(RICH.replace(old, new)).version == rich().version


DIFFERENT = [
    ("name: rich", "name: poor"),
    ("y: [2]", "y: [3]"),
    ("match: [email, phone]", "match: [phone, email]"),
    ("is_not: true", "is_not: false"),
    ("is_not: true", "is_not: null"),
    ("on_leave: unlink", "on_leave: keep"),
    ("in: [lead, sql]", "in: [lead]"),
    ("deletes: 50", "deletes: 50%"),
    ("tie: marketing", "tie: crm"),
    ("skew: 2m", "skew: 3m"),
    ("crm: mail", "crm: email"),
    ("region: IE", "region: GB"),
    ("[l, m]", "[m, l]"),
    ("order: [lead, sql]", "order: [sql, lead]"),
    (", may_regress: crm", ""),
    ("import}}", "export}}"),
    (", when: create}", ", when: create, type: choice}"),
    ("writes: pending", "writes: in"),
    ("on_blank: {crm: clear}", "on_blank: clear"),
    (", required_in: marketing", ""),
    ("[l, m], L]", "[l, m, 0], L]"),
]


@pytest.mark.parametrize(("old", "new"), DIFFERENT)
def test_meaning_something_else_is_another_version(old: str, new: str) -> None:
    assert old in RICH
    assert rich(RICH.replace(old, new)).version != rich().version


def test_conditions_that_differ_only_in_what_they_ask_are_two_versions() -> None:
    null, not_null = RICH.replace("is_not: true", "is: null"), RICH.replace("is_not: true", "is_not: null")
    assert rich(null).version != rich(not_null).version


def test_owners_and_schemas_are_no_part_of_the_version() -> None:
    loaded = small("o: {crm: c, marketing: m, type: owner}")
    assert compile_mapping(loaded).version == compile_mapping(loaded, owners={"crm": {"1": "ann@people.example"}}).version


# condition on field f (canonical) or n (native); the value; does it hold?
HOLDS: list[tuple[dict[str, Any], Any, bool]] = [
    ({"is": "present"}, "x", True),
    ({"is": "present"}, None, False),
    ({"is": "present"}, MISSING, False),
    ({"is": "present"}, (), False),
    ({"is": "blank"}, "", True),
    ({"is": "blank"}, MISSING, False),
    ({"is": None}, None, True),
    ({"is_not": "blank"}, "x", True),
    ({"is": True}, "true", True),
    ({"is": True}, True, True),
    ({"is_not": True}, None, True),
    ({"is_not": True}, MISSING, True),
    ({"is": 3}, "3", True),
    ({"is": "a"}, ("a", "b"), True),
    ({"in": ["a", "c"]}, ("a", "b"), True),
    ({"not_in": ["a"]}, ("b",), True),
    ({"in": ["a"]}, "b", False),
    ({"not_in": ["a", "b"]}, "b", False),
    ({"gt": 3}, "3.5", True),
    ({"gt": 3}, 3, False),
    ({"gt": 3}, "x", False),
    ({"lt": "2020-01-01"}, "2019-12-31", True),
    ({"lt": "2020-01-01"}, None, False),
    ({"gt": 1, "lt": 3}, 2, True),
    ({"gt": 1, "lt": 3}, 3, False),
]


@pytest.mark.parametrize(("condition", "value", "holds"), HOLDS)
def test_conditions(condition: dict[str, Any], value: Any, holds: bool) -> None:
    shown = {} if value is MISSING else {"n": value}
    canonical = {} if value is MISSING else {"f": value}
    known = frozenset({"f"})
    assert predicate(PredicateModel.model_validate({"field": "f", **condition}), known)(canonical, {}) is holds
    assert predicate(PredicateModel.model_validate({"field": "n", **condition}), known)({}, shown) is holds
    assert predicate(PredicateModel.model_validate({"not": {"field": "f", **condition}}), known)(canonical, {}) is not holds


def test_all_and_any() -> None:
    a, b = {"field": "a", "is": 1}, {"field": "b", "is": 1}
    known = frozenset({"a", "b"})
    both = predicate(PredicateModel.model_validate({"all": [a, b]}), known)
    either = predicate(PredicateModel.model_validate({"any": [a, b]}), known)
    table = [({"a": 1, "b": 1}, True, True), ({"a": 1}, False, True), ({"b": 1}, False, True), ({}, False, False)]
    assert [(both(values, {}), either(values, {})) for values, _, _ in table] == [(one, two) for _, one, two in table]


def test_scale_for_both_sides_is_marketings_alone() -> None:
    f = field("transform: {scale: {factor: 20}}")
    assert f.lenses["crm"].get({"c": "80"}) == 80
    assert f.lenses["marketing"].get({"m": 4}) == 80
    assert f.lenses["marketing"].put(80, {}) == {"m": 4}


def test_the_smallest_mapping_has_safe_brakes() -> None:
    policy = compile_mapping(load_text(SMALL)).policy
    assert policy.limits["deletes"] == Limit(share=0.01)
    assert policy.empty_side == "stop"
    assert policy.delete_seen_in == {"crm": "unlink", "marketing": "unlink"}
