"""The oracle's symbols as real fields, lenses and evidence of a kernel, and what the kernel answers, as symbols again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from kernel_modules import Kernel
from oracle import SETTINGS, Case, plain

SYMBOLS = ".0eabn"
DIRECTIONS = ("both", "to_crm", "to_marketing")
ORDERS = ("left", "right", "equal", "absent")
SKEW_US = 60
AGREED_US = 1_000
TEXTS = {"a": "alphabet", "b": "beta", "n": "alpha"}
SETS = {"a": ("x", "y"), "b": ("y",), "n": ("x",)}
FAR = {"crm": "marketing", "marketing": "crm"}
AT_US = {"left": (2_000, 500), "right": (500, 2_000), "equal": (1_060, 1_000), "absent": (None, None)}


def cases(setting: str) -> Iterator[Case]:
    """Every case with one base for both sides: 216 triples, 3 directions, 4 orders, with and without a side that shortens."""
    for direction, order, lossy, base, left, right in product(DIRECTIONS, ORDERS, (False, True), SYMBOLS, SYMBOLS, SYMBOLS):
        yield Case(setting, direction, order, lossy, base, base, left, right)


def cases_after_echo(setting: str) -> Iterator[Case]:
    """Each side with a base of its own, as a shortening or an ignored blank leaves them."""
    for order, lossy, base_l, base_r, left, right in product(("left", "right"), (False, True), ".0abn", ".0abn", "0abn", "0abn"):
        if base_l != base_r:
            yield Case(setting, "both", order, lossy, base_l, base_r, left, right)


def _folded(k: Kernel) -> Any:
    missing = k.records.MISSING

    def canon(value: Any) -> Any:
        if value is missing:
            return value
        return None if k.records.is_blank(value) else value.casefold() if isinstance(value, str) else value

    return canon


def lens(k: Kernel, name: str, keep: int | None) -> Any:
    """`keep`: how many letters or elements fit."""
    step = k.lens.Step(get=lambda value: value, put=lambda value: value[:keep] if value and keep else value, lossy=keep is not None)
    return k.lens.at(name, step)


def rules(k: Kernel) -> dict[str, Any]:
    rule = k.mapping.Rule
    return {
        "prefer": rule("prefer", side="crm"),
        "newest": rule("newest", tie="crm", skew_us=SKEW_US),
        "newest_clear": rule("newest", tie="marketing", skew_us=SKEW_US),
        "fill_blank": rule("fill_blank", tie="marketing", skew_us=SKEW_US),
        "furthest": rule("furthest", order=("beta", "alpha", "alphabet"), may_regress="marketing"),
        "most_restrictive": rule("most_restrictive", order=("beta", "alpha", "alphabet"), skew_us=SKEW_US),
        "union": rule("union"),
        "hold": rule("hold"),
    }


def mirrored(rule: Any) -> Any:
    """The same rule with the sides' names exchanged."""
    return replace(rule, tie=FAR[rule.tie], side=rule.side and FAR[rule.side], may_regress=rule.may_regress and FAR[rule.may_regress])


def field(k: Kernel, case: Case, mirror: bool = False) -> Any:
    keep = (1 if case.setting == "union" else 5) if case.lossy else None
    keeps = {"crm": keep if mirror else None, "marketing": None if mirror else keep}
    rule = rules(k)[case.setting]
    consent = case.setting == "most_restrictive"
    blank = "clear" if SETTINGS[case.setting][2] else "ignore"
    mirrored_direction = {"both": "both", "to_crm": "to_marketing", "to_marketing": "to_crm"}[case.direction]
    return k.mapping.Field(
        "f", "text", {side: lens(k, "v", keeps[side]) for side in FAR}, _folded(k), mirrored(rule) if mirror else rule,
        direction=mirrored_direction if mirror else case.direction, on_blank={"crm": blank, "marketing": blank}, consent=consent,
        grant=k.mapping.Grant(("source", "at"), "alpha") if consent else None,
    )  # fmt: skip


def value(k: Kernel, setting: str, side: str, symbol: str) -> Any:
    """Marketing shouts in free text, so that only the canonical form can tell equal from different."""
    if symbol in ".0e":
        return {".": k.records.MISSING, "0": None, "e": ""}[symbol]
    if setting == "union":
        return SETS[symbol]
    ranked = setting in ("furthest", "most_restrictive")
    return TEXTS[symbol] if ranked or side == "crm" else TEXTS[symbol].upper()


def symbol_of(k: Kernel, shown: Any) -> str:
    if shown is k.records.MISSING:
        return "."
    if k.records.is_blank(shown):
        return "-"
    names = {TEXTS[s]: s for s in TEXTS} | {SETS[s]: s for s in SETS}
    return names[shown.casefold() if isinstance(shown, str) else shown]


def evidence(k: Kernel, order: str, mirror: bool = False) -> Any:
    left, right = AT_US[order]
    sides = ("marketing", "crm") if mirror else ("crm", "marketing")
    at_us = dict(zip(sides, (left, right), strict=True))
    proof = {side: None if at is None else k.records.Proof("form", at) for side, at in at_us.items()}
    grade = {side: "none" if at is None else "record" for side, at in at_us.items()}
    return k.conflict.Evidence(at_us, grade, proof, AGREED_US)


def inputs(k: Kernel, case: Case, mirror: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """(base, now), canonical values by side."""
    left, right = ("marketing", "crm") if mirror else ("crm", "marketing")
    base = {left: value(k, case.setting, left, case.base_l), right: value(k, case.setting, right, case.base_r)}
    now = {left: value(k, case.setting, left, case.left), right: value(k, case.setting, right, case.right)}
    return base, now


def natives(k: Kernel, now: dict[str, Any]) -> dict[str, Any]:
    return {side: {} if shown is k.records.MISSING else {"v": shown} for side, shown in now.items()}


def merged(k: Kernel, case: Case, mirror: bool = False) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """(decision, field, base, now)"""
    field_, (base, now) = field(k, case, mirror), inputs(k, case, mirror)
    return k.merge.merge_field(field_, base, now, evidence(k, case.order, mirror), natives(k, now)), field_, base, now


def planned(k: Kernel, case: Case) -> Any:
    """The plan of a linked contact with this one field, whose evidence is the record's own time and proof."""
    field_, (base, now) = field(k, case), inputs(k, case)
    known = evidence(k, case.order)
    shadows, seen = natives(k, base), natives(k, now)
    sides = {
        side: k.plan.SideState(side, seen[side], shadows[side], modified_us=known.at_us[side], proof=known.proof[side]) for side in seen
    }
    mapping = k.mapping.CompiledMapping("one field", "1", {}, (field_,), (), k.mapping.Policy({}, {}, {}))
    contact = k.plan.Contact(1, sides, "active", agreed_us={"f": AGREED_US})
    return k.planner.plan_contact(mapping, contact, {side: k.planner.Traits("record") for side in seen})


def as_symbols(k: Kernel, decision: Any, mirror: bool = False) -> Any:
    """The kernel's answer in the oracle's words."""
    if decision is None:
        return None
    if decision.held:
        return "held"
    left, right = ("marketing", "crm") if mirror else ("crm", "marketing")
    writes = {side: symbol_of(k, shown) for side, shown in decision.writes.items()}
    return (symbol_of(k, decision.value), writes.get(left), writes.get(right))


def same(one: str, two: str) -> bool:
    return plain(one) == plain(two)
