"""The rules: who wins when both sides changed, one function each, named by outcome. Used by `merge`; a mapping names one per field.

A rule gets a `Dispute` and answers with a `Ruling`. Times come with a grade: `field` (when this very field changed), `record` (some field
of the record changed by then: an upper bound, never proof) or `none`. A difference within the allowed skew of two clocks is a tie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from syncline.mapping import Grant, OnBlank, Rule
from syncline.records import CRM, MARKETING, MISSING, SIDES, Proof, Side, Value, is_blank, other

Grade = Literal["field", "record", "none"]
WEAKEST: Mapping[Grade, int] = {"none": 0, "record": 1, "field": 2}
TITLE: Mapping[Side, str] = {CRM: "the CRM", MARKETING: "marketing"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """When each side's value changed, in microseconds, by clocks already corrected for their offset; and who proved what about consent."""

    at_us: Mapping[Side, int | None] = field(default_factory=dict)
    grade: Mapping[Side, Grade] = field(default_factory=dict)
    proof: Mapping[Side, Proof | None] = field(default_factory=dict)
    agreed_us: int | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """Two values for one field. `base`: what each side last showed (MISSING: never agreed). `changed`: the sides that moved since."""

    rule: Rule
    base: Mapping[Side, Value]
    now: Mapping[Side, Value]
    changed: tuple[Side, ...]
    evidence: Evidence
    on_blank: Mapping[Side, OnBlank]
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """`winner` None with `held`: nobody wins, a person decides. `asks`: what to write instead of `value` on the other side (a grant)."""

    value: Value
    winner: Side | None
    reason: str
    evidence: Grade = "none"
    held: bool = False
    asks: Value = MISSING


def prefer(d: Dispute) -> Ruling:
    """The named side wins."""
    side = d.rule.side or CRM
    return Ruling(d.now[side], side, f"{TITLE[side]} is preferred for this field")


def newest(d: Dispute) -> Ruling:
    """The later change wins; within the skew, or without times on both sides, the tie side does."""
    tie, (crm_us, marketing_us) = d.rule.tie, (d.evidence.at_us.get(side) for side in SIDES)
    if crm_us is None or marketing_us is None:
        return Ruling(d.now[tie], tie, f"no time of change on both sides; {TITLE[tie]} wins ties")
    grade = min((d.evidence.grade.get(side, "none") for side in SIDES), key=WEAKEST.__getitem__)
    if abs(crm_us - marketing_us) <= d.rule.skew_us:
        return Ruling(d.now[tie], tie, f"changed at the same time, give or take the clocks; {TITLE[tie]} wins ties", grade)
    side = CRM if crm_us > marketing_us else MARKETING
    return Ruling(d.now[side], side, f"{TITLE[side]} changed last, by {GRADE_TEXT[grade]}", grade)


GRADE_TEXT: Mapping[Grade, str] = {"field": "the field's own time", "record": "the record's time", "none": "no time at all"}


def fill_blank(d: Dispute) -> Ruling | None:
    """A filled value beats a blank one; two filled ones go to `then`."""
    filled = [side for side in SIDES if not is_blank(d.now[side])]
    if len(filled) == 1:
        return Ruling(d.now[filled[0]], filled[0], f"only {TITLE[filled[0]]} has a value")
    return decide(d, d.rule.then or Rule("newest", tie=d.rule.tie, skew_us=d.rule.skew_us))


def furthest(d: Dispute) -> Ruling:
    """The value further along `order` wins; a step back counts only from the side that `may_regress`."""
    back = d.rule.may_regress
    side = max(SIDES, key=lambda s: (_rank(d.rule, d.now[s]), not is_blank(d.now[s]), s == d.rule.tie))
    if back is not None and d.changed == (back,) and not is_blank(d.now[back]):
        side = back
    if _rank(d.rule, d.now[side]) < _rank(d.rule, d.now[other(side)]):
        return Ruling(d.now[side], side, f"{TITLE[side]} may move this field back")
    return Ruling(d.now[side], side, f"{TITLE[side]} is further along; this field only moves forward")


def most_restrictive(d: Dispute) -> Ruling | None:
    """The most restrictive voice wins. Less restriction needs proof newer than what was agreed; silence says nothing, so nothing moves."""
    voices = {side: voice for side in SIDES if (voice := _voice(d, side)) is not MISSING}
    if not voices:
        return None
    granted = _granting_side(d)
    if granted is not None:
        asks = d.grant.writes if d.grant else MISSING
        return Ruling(d.now[granted], granted, f"the person agreed again at {TITLE[granted]}, with proof", "field", asks=asks)
    side = max(voices, key=lambda s: (_rank(d.rule, voices[s]), s == d.rule.tie))
    if voices[side] != d.now[side]:
        return Ruling(voices[side], None, f"{TITLE[side]} took it back, without proof that the person did")
    if is_widest(d.rule, d.now[side]) and not bears_proof(d.grant, d.evidence.proof.get(side)):
        return Ruling(d.now[side], side, f"{TITLE[side]} says so without proof: nobody is subscribed by that", asks=d.now[other(side)])
    return Ruling(d.now[side], side, f"{TITLE[side]} is the most restrictive, and consent is never widened without proof")


def _voice(d: Dispute, side: Side) -> Value:
    """What a side says of consent, MISSING when nothing. It stands by an opt-out it showed before; fallen silent, by any restriction."""
    now, said = d.now[side], d.base[side]
    silent, rank = _silent(d.rule, now), _rank(d.rule, said)
    if rank > 0 and (silent or rank == len(d.rule.order) - 1):
        return said
    return MISSING if silent else now


def _granting_side(d: Dispute) -> Side | None:
    """The side that moved to a less restrictive value since base, with all the proof the mapping requires; of two, the more restrictive."""
    granting = [side for side in d.changed if d.grant and _grants(d, d.grant, side)]
    return max(granting, key=lambda s: (_rank(d.rule, d.now[s]), s == d.rule.tie), default=None)


def granted(d: Dispute) -> bool:
    """Whether the person agreed again since `base`, at either side, with all the proof the mapping requires."""
    return _granting_side(d) is not None


def is_widest(rule: Rule, value: Value) -> bool:
    """Whether more can be sent under this value than under any other: it needs proof, or is asked for."""
    return len(rule.order) > 1 and value == rule.order[0]


def bears_proof(grant: Grant | None, proof: Proof | None) -> bool:
    """Whether a record bears all the proof that the mapping requires, whatever its age. A mapping without a grant takes none."""
    return grant is not None and proof is not None and ("source" not in grant.requires or bool(proof.source))


def _grants(d: Dispute, grant: Grant, side: Side) -> bool:
    """Not when the other side became more restrictive meanwhile, unless by what a grant asks for: our own write may be behind that."""
    far, proof = other(side), d.evidence.proof.get(side)
    rank = {s: _rank(d.rule, d.now[s]) for s in SIDES}
    if far in d.changed and rank[far] > _rank(d.rule, d.base[far]) and d.now[far] != grant.writes:
        return False
    wider = rank[side] < max(_rank(d.rule, d.base[side]), rank[far])
    return wider and not _silent(d.rule, d.now[side]) and proof is not None and bears_proof(grant, proof) and _is_newer(d, proof)


def _is_newer(d: Dispute, proof: Proof) -> bool:
    """Proof counts only if it is newer than what was agreed: of unknown age, or without a known time to beat, it proves nothing."""
    agreed_us = d.evidence.agreed_us
    return agreed_us is not None and proof.at_us > agreed_us + d.rule.skew_us


def union(d: Dispute) -> Ruling:
    """Element by element: what either side added stays, what either side removed goes; without a base, everything stays.

    A whole set that went blank removes nothing where the mapping ignores blanks.
    """
    sets = {side: _elements(d.now[side]) for side in SIDES}
    removed: set[str] = set()
    for side in SIDES:
        if not (is_blank(d.now[side]) and d.on_blank.get(side) == "ignore"):
            removed |= _elements(d.base[side]) - sets[side]
    merged = (sets[CRM] | sets[MARKETING]) - removed
    return Ruling(tuple(sorted(merged)) or None, None, "both sides' elements are kept, removals too")


def hold(d: Dispute) -> Ruling:
    """A person decides."""
    return Ruling(MISSING, None, "both sides changed and this field waits for a person", held=True)


RULES: Mapping[str, Callable[[Dispute], Ruling | None]] = {
    "prefer": prefer,
    "newest": newest,
    "fill_blank": fill_blank,
    "furthest": furthest,
    "most_restrictive": most_restrictive,
    "union": union,
    "hold": hold,
}


JUDGES_EVERY_MOVE = frozenset({"furthest", "most_restrictive", "union"})
"""Rules that are asked even when only one side changed: stages that step back, consent that widens, elements of a set."""


def decide(d: Dispute, rule: Rule | None = None) -> Ruling | None:
    """Ask the rule; None: nothing moves. A blank that the mapping ignores never competes: the other value stands."""
    rule = rule or d.rule
    if rule.name not in JUDGES_EVERY_MOVE and rule.name != "hold":
        for side in SIDES:
            if is_blank(d.now[side]) and d.on_blank.get(side) == "ignore" and not is_blank(d.now[other(side)]):
                return Ruling(d.now[other(side)], other(side), f"{TITLE[side]} is blank, and a blank never overwrites here")
    return RULES[rule.name](d if rule is d.rule else _with_rule(d, rule))


def _with_rule(d: Dispute, rule: Rule) -> Dispute:
    return Dispute(rule, d.base, d.now, d.changed, d.evidence, d.on_blank, d.grant)


def _silent(rule: Rule, value: Value) -> bool:
    return value is MISSING or is_blank(value) or value in rule.silent


def _rank(rule: Rule, value: Value) -> int:
    """Position in the rule's order; blank and silent values come before all."""
    return rule.order.index(value) if isinstance(value, str) and value in rule.order else -1


def _elements(value: Value) -> set[str]:
    return set(value) if isinstance(value, tuple) else set()
