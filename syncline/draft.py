"""A plan in the making: decisions become entries, native changes, totals, holds and bases. Only `planner`, `births`, `deaths` import it.

It promises that the base of a field never runs ahead: a name that a write or a hold still waits for keeps its old shadow in the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncline.conflict import Evidence, Grade
from syncline.errors import Recovery, SyncError
from syncline.log import Entry
from syncline.mapping import Field
from syncline.merge import Decision, read_field
from syncline.plan import Contact, ContactPlan, Hold, SideState, Traits, Write
from syncline.records import MISSING, SIDES, Native, Proof, Side, Value, is_blank, other


class Draft:
    """A plan in the making: decisions turn into entries, native changes and totals here. Local to one call of `plan_contact`."""

    __slots__ = ("agreed_us", "carried", "confirms", "consent", "contact", "entries", "holds", "put", "totals", "untold", "view", "waiting")

    def __init__(self, contact: Contact, holds: Iterable[Hold] = ()) -> None:
        self.contact = contact
        self.entries: list[Entry] = []
        self.holds = list(holds)
        self.view = dict(contact.view)
        self.agreed_us: dict[str, int] = {}
        self.totals: dict[str, int] = {}
        self.put: dict[Side, dict[str, Any]] = {"crm": {}, "marketing": {}}
        self.consent: dict[Side, dict[str, Any]] = {"crm": {}, "marketing": {}}
        self.carried: dict[tuple[Side, bool], list[int]] = {}
        self.confirms: dict[tuple[Side, bool], set[str]] = {}
        self.untold: dict[Side, dict[str, Any]] = {"crm": {}, "marketing": {}}
        self.waiting: dict[Side, set[str]] = {"crm": set(), "marketing": set()}

    def count(self, name: str) -> None:
        self.totals[name] = self.totals.get(name, 0) + 1


def finish(draft: Draft, state: str, writes: Sequence[Write] = (), shadows: Mapping[Side, Native] | None = None) -> ContactPlan:
    """The plan, inert; `state` is what the contact becomes. `shadows`: the bases, unless they are what follows from who waits."""
    contact = draft.contact
    if draft.holds:
        draft.totals["holds"] = len(draft.holds)
    return ContactPlan(
        contact.contact_id, contact.state == "new", state,
        {side: s.ref for side, s in contact.sides.items()},
        draft.view, draft.agreed_us,
        {side: _shadow(s, draft.waiting[side], state) for side, s in contact.sides.items()} if shadows is None else shadows,
        tuple(draft.entries), tuple(writes), tuple(draft.holds), draft.totals,
    )  # fmt: skip


def _shadow(state: SideState, waiting: set[str], outcome: str) -> Native:
    """The base after commit: what is seen, except where a write or a hold is still to come, and for names that were not shown this time.

    A dead or parted record keeps its old base.
    """
    old = state.shadow or {}
    if outcome != "active":
        return old
    return {**old, **{name: value for name, value in state.seen.items() if name not in waiting}}


# ---------------------------------------------------------------- decisions


def settle(
    field_: Field, decision: Decision, draft: Draft, native: Mapping[Side, Native], now: Mapping[Side, Value], evidence: Evidence
) -> None:
    """Turn a decision into native changes, a view, an entry and totals; a value that a side cannot take holds the field instead."""
    if decision.held:
        return hold_field(draft, field_, Hold(decision.code, decision.reason, field_.name))
    changes: dict[Side, dict[str, Any]] = {}
    for side, value in decision.writes.items():
        pending = {**native[side], **draft.put[side], **draft.consent[side]}
        try:
            put = field_.lenses[side].put(value, pending)
        except SyncError as error:
            if error.recovery is not Recovery.HOLD:
                raise
            return hold_field(draft, field_, Hold(type(error).__name__, str(error), field_.name, side))
        changes[side] = {name: new for name, new in put.items() if new != native[side].get(name, MISSING)}
    changes = {side: put for side, put in changes.items() if put}
    before = draft.view.get(field_.name)
    if decision.value != before and not (is_blank(decision.value) and before is None):
        draft.view[field_.name] = decision.value
    elif not changes:
        return None
    _note(field_, decision, draft, changes, before, evidence)
    if decision.rule == "union" and len(changes) == 2:
        for side in SIDES:
            draft.untold[side].update(field_.lenses[side].put(now[other(side)], native[side]))
            draft.confirms.setdefault((side, field_.consent), set()).update(field_.lenses[other(side)].names)
    return _weigh(field_, decision, draft, changes, now)


def _note(
    field_: Field, decision: Decision, draft: Draft, changes: Mapping[Side, dict[str, Any]], before: Value, evidence: Evidence
) -> None:
    """The entry, who carries it out, and whose observation it confirms."""
    contact, winner = draft.contact, decision.winner
    for old, to in _told(field_, decision, changes, before):
        for side in to:
            draft.carried.setdefault((side, field_.consent), []).append(len(draft.entries))
        draft.entries.append(
            Entry(
                "change", contact.contact_id, field_.name, winner, contact.sides[winner].ref if winner else None,
                old, decision.value, decision.rule, decision.evidence, decision.reason, to,
            )
        )  # fmt: skip
    at_us = evidence.at_us.get(winner) if winner else None
    if at_us is not None and not field_.consent:
        draft.agreed_us[field_.name] = at_us
    for side, put in changes.items():
        (draft.consent if field_.consent else draft.put)[side].update(put)
        draft.waiting[side].update(field_.lenses[side].names)
        far = other(side)
        if far not in changes:
            draft.confirms.setdefault((side, field_.consent), set()).update(field_.lenses[far].names)
            draft.waiting[far].update(field_.lenses[far].names)


def _told(field_: Field, decision: Decision, changes: Mapping[Side, Any], before: Value) -> list[tuple[Value, tuple[Side, ...]]]:
    """(old, to) of the entry; of one entry a side where both sides' values give way and are not the same: each is named."""
    lost = decision.lost
    if len(lost) == 2 and field_.canon(lost[0][1]) != field_.canon(lost[1][1]):
        return [(value, (side,) if side in changes else ()) for side, value in lost]
    return [(lost[0][1] if lost else before, tuple(changes))]


def _weigh(field_: Field, decision: Decision, draft: Draft, changes: Mapping[Side, Any], now: Mapping[Side, Value]) -> None:
    for side in changes:
        value = decision.writes[side]
        if is_blank(value):
            draft.count("blanks")
        elif not is_blank(now[side]) and not field_.consent:
            draft.totals["overwrites"] = 1
        if field_.consent and field_.rule.order and value == field_.rule.order[-1]:
            draft.count("unsubscribes")


def hold_field(draft: Draft, field_: Field, hold: Hold) -> None:
    draft.holds.append(hold)
    keep_base(draft, field_)


def keep_base(draft: Draft, field_: Field) -> None:
    """Its base stays as it was, on both sides."""
    for side in SIDES:
        draft.waiting[side].update(field_.lenses[side].names)


# ---------------------------------------------------------------- writes


def updates(draft: Draft, native: Mapping[Side, Native], traits: Mapping[Side, Traits]) -> list[Write]:
    """At most two writes a side: consent through its own channel, everything else in one minimal update."""
    writes = []
    for side in SIDES:
        for consent, changes in ((True, draft.consent[side]), (False, draft.put[side])):
            if not changes:
                continue
            state, far = draft.contact.sides[side], native[other(side)]
            confirms = tuple(sorted(draft.confirms.get((side, consent), ())))
            writes.append(
                Write(
                    side, "consent" if consent else "update", state.ref,
                    {} if consent else changes, changes if consent else {},
                    {name: native[side][name] for name in changes if name in native[side]},
                    state.version, anchor_of(native[side], traits[side]),
                    confirms,
                    tuple(draft.carried.get((side, consent), ())),
                    {name: far[name] for name in confirms if name in far},
                    {} if consent or not draft.untold[side] else draft.untold,
                )
            )  # fmt: skip
            draft.count("updates")
    return writes


def anchor_of(native: Native, traits: Traits) -> dict[str, Any]:
    """The native fields that every change of an existing record must bring along."""
    return {name: native[name] for name in traits.anchors if name in native}


# ---------------------------------------------------------------- evidence


def evidence_for(field_: Field, contact: Contact, traits: Mapping[Side, Traits]) -> Evidence:
    """What the rules may know of when this field changed on each side, and of proof."""
    at_us: dict[Side, int | None] = {}
    grade: dict[Side, Grade] = {}
    for side, state in contact.sides.items():
        at_us[side], grade[side] = changed_at(field_.lenses[side].names, state, traits[side])
    proof = {side: _proof(state, traits[side]) for side, state in contact.sides.items()} if field_.consent else {}
    return Evidence(at_us, grade, proof, contact.agreed_us.get(field_.name))


def _proof(state: SideState, traits: Traits) -> Proof | None:
    """The proof that a record bears, its time by our clock."""
    return Proof(state.proof.source, state.proof.at_us - traits.offset_us) if state.proof else None


def changed_at(names: tuple[str, ...], state: SideState, traits: Traits) -> tuple[int | None, Grade]:
    """When these native fields changed, by our clock, and how sure that is."""
    stamps = [at for name, at in (state.field_times_us or {}).items() if name in names]
    at_us = max(stamps) if stamps else state.modified_us if traits.evidence != "none" else None
    if at_us is None:
        return None, "none"
    return at_us - traits.offset_us, "field" if stamps else "record"


def merged_opt_out(field_: Field, contact: Contact) -> bool:
    """Whether a record that was merged away had opted out: that counts as the survivor's own."""
    order = field_.rule.order
    said = (read_field(field_, side, loser.seen)[0] for side, losers in contact.losers.items() for loser in losers)
    return field_.consent and bool(order) and order[-1] in said


def place(order: tuple[str, ...], value: Value) -> int:
    """Position in the order, -1 for anything else."""
    return order.index(value) if isinstance(value, str) and value in order else -1
