"""From one contact to its plan: merge what two live records show, create what is missing, follow what died. Pure; only `flows` calls it.

Theory of operation. A contact has a record on one side or on both, each live or dead, and a state. `plan_contact` reads the table

    both live                       merge field by field (and, without a base, link)        state becomes active
    one live, none across           create across, if scope and policy allow                active
    one live, one dead, active      the policy of deletes: archive, unlink or keep           deleted or unlinked
    one live, one dead, otherwise   a tombstone: nothing, unless the dead one was ours       restore when the vendor can
    both dead                       nothing                                                  deleted

Whatever cannot be decided or written for one field holds that field alone; its base stays as it was, so it is judged again later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncline.conflict import TITLE, Evidence, Grade
from syncline.errors import Recovery, SyncError
from syncline.log import Entry
from syncline.mapping import CompiledMapping, Field
from syncline.merge import Decision, impose, merge_field, read_field, values
from syncline.plan import Contact, ContactPlan, Hold, SideState, Write
from syncline.records import MISSING, SIDES, Native, Side, Value, is_blank, other

DEAD = ("archived", "gone", "merged")


@dataclass(frozen=True, slots=True)
class Traits:
    """What the planner must know of one side's connector. `offset_us`: its clock minus ours."""

    evidence: Grade = "record"
    anchors: tuple[str, ...] = ()
    can_restore: bool = False
    offset_us: int = 0


@dataclass(slots=True)
class Draft:
    """A plan in the making: decisions turn into entries, native changes and totals here. Local to one call of `plan_contact`."""

    contact: Contact
    entries: list[Entry] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    view: dict[str, Value] = field(default_factory=dict)
    agreed_us: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    put: dict[Side, dict[str, Any]] = field(default_factory=lambda: {"crm": {}, "marketing": {}})
    consent: dict[Side, dict[str, Any]] = field(default_factory=lambda: {"crm": {}, "marketing": {}})
    carried: dict[tuple[Side, bool], list[int]] = field(default_factory=dict)
    confirms: dict[tuple[Side, bool], set[str]] = field(default_factory=dict)
    waiting: dict[Side, set[str]] = field(default_factory=lambda: {"crm": set(), "marketing": set()})

    def count(self, name: str) -> None:
        self.totals[name] = self.totals.get(name, 0) + 1


def plan_contact(mapping: CompiledMapping, contact: Contact, traits: Mapping[Side, Traits]) -> ContactPlan:
    """The plan for one contact. Never raises a HOLD error: what cannot be decided is in `holds`."""
    live = [side for side in SIDES if side in contact.sides and contact.sides[side].liveness == "live"]
    dead = [side for side in SIDES if side in contact.sides and contact.sides[side].liveness in DEAD]
    draft = Draft(contact, view=dict(contact.view))
    if contact.state in ("merged", "erased"):
        return _finish(draft, contact.state)
    if len(live) == 2:
        return _merge(mapping, draft, traits)
    if len(live) == 1 and not dead:
        return _create(mapping, draft, live[0], traits)
    if len(live) == 1 and contact.state == "active":
        return _died(mapping, draft, live[0], dead[0], traits)
    if len(live) == 1 and contact.state == "deleted" and _may_be_ours(mapping, live[0]):
        return _undelete(mapping, draft, live[0], dead[0], traits)
    if contact.state == "active":
        draft.entries.append(Entry("archive", contact.contact_id, reason="both records are gone"))
        return _finish(draft, "deleted")
    return _finish(draft, contact.state)


# ---------------------------------------------------------------- both live


def _merge(mapping: CompiledMapping, draft: Draft, traits: Mapping[Side, Traits]) -> ContactPlan:
    contact, linking = draft.contact, draft.contact.state != "active"
    native = {side: contact.sides[side].seen for side in SIDES}
    if not _in_scope(mapping, native):
        return _left_scope(mapping, draft, native, traits) if contact.state == "active" else _finish(draft, contact.state)
    if linking:
        refs = {side: contact.sides[side].ref for side in SIDES}
        draft.entries.append(_linked(contact, refs))
        draft.count("links")
    for field_ in mapping.fields:
        _merge_one(field_, draft, native, traits, linking=linking)
    if linking and contact.state == "new":
        draft.entries[0] = _with_view(draft.entries[0], draft.view)
    return _finish(draft, "active", _updates(draft, native, traits) + _bury_losers(mapping, draft, traits))


def _linked(contact: Contact, refs: Mapping[Side, str]) -> Entry:
    if contact.state == "new":
        return Entry("link", contact.contact_id, reason="both sides have this person", new={"refs": refs, "view": {}})
    return Entry("revive", contact.contact_id, reason="both records are live again")


def _merge_one(field_: Field, draft: Draft, native: Mapping[Side, Native], traits: Mapping[Side, Traits], *, linking: bool) -> None:
    """Decide one field and note what follows from it."""
    sides = draft.contact.sides
    now: dict[Side, Value] = {}
    for side in SIDES:
        now[side], error = read_field(field_, side, native[side])
        if error is not None:
            return _hold(draft, field_, Hold(type(error).__name__, str(error), field_.name, side))
    base = {side: read_field(field_, side, sides[side].shadow)[0] for side in SIDES}
    evidence = _evidence(field_, draft.contact, traits)
    decision = merge_field(field_, base, now, evidence, native)
    if field_.consent and draft.contact.losers:
        decision = _restricted(field_, draft.contact, decision, now, native)
    if field_.consent and decision is not None:
        _date_restriction(field_, draft, decision, now, evidence)
    if MISSING in now.values():
        _wait(draft, field_)  # nobody can compare what was not shown: the base stays
    if linking and draft.contact.state == "new" and (decision is None or not (decision.writes or decision.held)):
        return _agree_quietly(field_, draft, decision.value if decision else MISSING, now)
    if decision is None:
        return None
    return _apply(field_, decision, draft, native, now, evidence)


def _agree_quietly(field_: Field, draft: Draft, agreed: Value, now: Mapping[Side, Value]) -> None:
    """At link time a field that needs no write enters the view through the link's own entry."""
    value = next((v for v in (agreed, *now.values()) if v is not MISSING and not is_blank(v)), None)
    if value is not None and draft.view.get(field_.name) != value:
        draft.view[field_.name] = value


def _apply(
    field_: Field, decision: Decision, draft: Draft, native: Mapping[Side, Native], now: Mapping[Side, Value], evidence: Evidence
) -> None:
    """Turn a decision into native changes, a view, an entry and totals; a value that a side cannot take holds the field instead."""
    if decision.held:
        return _hold(draft, field_, Hold(decision.code, decision.reason, field_.name))
    changes: dict[Side, dict[str, Any]] = {}
    for side, value in decision.writes.items():
        pending = {**native[side], **draft.put[side], **draft.consent[side]}
        try:
            put = field_.lenses[side].put(value, pending)
        except SyncError as error:
            if error.recovery is not Recovery.HOLD:
                raise
            return _hold(draft, field_, Hold(type(error).__name__, str(error), field_.name, side))
        changes[side] = {name: new for name, new in put.items() if new != native[side].get(name, MISSING)}
    changes = {side: put for side, put in changes.items() if put}
    before = draft.view.get(field_.name)
    if decision.value != before and not (is_blank(decision.value) and before is None):
        draft.view[field_.name] = decision.value
    elif not changes:
        return None
    _note(field_, decision, draft, changes, before, evidence)
    return _weigh(field_, decision, draft, changes, now)


def _note(
    field_: Field, decision: Decision, draft: Draft, changes: Mapping[Side, dict[str, Any]], before: Value, evidence: Evidence
) -> None:
    """The entry, who carries it out, and whose observation it confirms."""
    contact, index = draft.contact, len(draft.entries)
    winner = decision.winner
    draft.entries.append(
        Entry(
            "change", contact.contact_id, field_.name, winner, contact.sides[winner].ref if winner else None,
            decision.lost if decision.lost is not MISSING else before, decision.value,
            decision.rule, decision.evidence, decision.reason, tuple(changes),
        )
    )  # fmt: skip
    at_us = evidence.at_us.get(winner) if winner else None
    if at_us is not None and not field_.consent:
        draft.agreed_us[field_.name] = at_us
    for side, put in changes.items():
        (draft.consent if field_.consent else draft.put)[side].update(put)
        draft.carried.setdefault((side, field_.consent), []).append(index)
        draft.waiting[side].update(field_.lenses[side].names)
        far = other(side)
        if far not in changes:
            draft.confirms.setdefault((side, field_.consent), set()).update(field_.lenses[far].names)
            draft.waiting[far].update(field_.lenses[far].names)


def _weigh(field_: Field, decision: Decision, draft: Draft, changes: Mapping[Side, Any], now: Mapping[Side, Value]) -> None:
    for side in changes:
        value = decision.writes[side]
        if is_blank(value):
            draft.count("blanks")
        elif not is_blank(now[side]) and not field_.consent:
            draft.totals["overwrites"] = 1
        if field_.consent and field_.rule.order and value == field_.rule.order[-1]:
            draft.count("unsubscribes")


def _hold(draft: Draft, field_: Field, hold: Hold) -> None:
    draft.holds.append(hold)
    _wait(draft, field_)


def _wait(draft: Draft, field_: Field) -> None:
    """Its base stays as it was, on both sides."""
    for side in SIDES:
        draft.waiting[side].update(field_.lenses[side].names)


def _date_restriction(field_: Field, draft: Draft, decision: Decision, now: Mapping[Side, Value], evidence: Evidence) -> None:
    """What a later proof must beat: the newest time at which anything but a grant was agreed. A grant leaves it, so it can be repeated."""
    order = field_.rule.order
    widens = any(_place(order, value) < _place(order, now[side]) for side, value in decision.writes.items())
    times = [at for at in (*evidence.at_us.values(), evidence.agreed_us) if at is not None]
    if times and not decision.held and not widens:
        draft.agreed_us[field_.name] = max(times)


def _restricted(
    field_: Field, contact: Contact, decision: Decision | None, now: Mapping[Side, Value], native: Mapping[Side, Native]
) -> Decision | None:
    """The opt-outs of records that were merged away count as the survivor's own; what lies short of one (a bounce) was theirs alone."""
    order = field_.rule.order
    lost = [read_field(field_, side, loser.seen)[0] for side, losers in contact.losers.items() for loser in losers]
    current = decision.value if decision is not None and not decision.held else max(now.values(), key=lambda v: _place(order, v))
    if not order or order[-1] not in lost or current == order[-1] or MISSING in now.values():
        return decision
    return impose(field_, order[-1], "a record that was merged into this one had opted out", now, native)


def _place(order: tuple[str, ...], value: Value) -> int:
    return order.index(value) if isinstance(value, str) and value in order else -1


def _evidence(field_: Field, contact: Contact, traits: Mapping[Side, Traits]) -> Evidence:
    at_us: dict[Side, int | None] = {}
    grade: dict[Side, Grade] = {}
    for side, state in contact.sides.items():
        at_us[side], grade[side] = _changed_at(field_.lenses[side].names, state, traits[side])
    proof = {side: state.proof for side, state in contact.sides.items()}
    return Evidence(at_us, grade, proof, contact.agreed_us.get(field_.name))


def _changed_at(names: tuple[str, ...], state: SideState, traits: Traits) -> tuple[int | None, Grade]:
    """When these native fields changed, by our clock, and how sure that is."""
    stamps = [at for name, at in (state.field_times_us or {}).items() if name in names]
    at_us = max(stamps) if stamps else state.modified_us if traits.evidence != "none" else None
    if at_us is None:
        return None, "none"
    return at_us - traits.offset_us, "field" if stamps else "record"


def _updates(draft: Draft, native: Mapping[Side, Native], traits: Mapping[Side, Traits]) -> list[Write]:
    """At most two writes a side: consent through its own channel, everything else in one minimal update."""
    writes = []
    for side in SIDES:
        for consent, changes in ((True, draft.consent[side]), (False, draft.put[side])):
            if not changes:
                continue
            state = draft.contact.sides[side]
            writes.append(
                Write(
                    side, "consent" if consent else "update", state.ref,
                    {} if consent else changes, changes if consent else {},
                    {name: native[side][name] for name in changes if name in native[side]},
                    state.version, _anchor(native[side], traits[side]),
                    tuple(sorted(draft.confirms.get((side, consent), ()))),
                    tuple(draft.carried.get((side, consent), ())),
                )
            )  # fmt: skip
            draft.count("updates")
    return writes


def _anchor(native: Native, traits: Traits) -> dict[str, Any]:
    return {name: native[name] for name in traits.anchors if name in native}


def _with_view(entry: Entry, view: Mapping[str, Value]) -> Entry:
    return Entry(entry.kind, entry.contact_id, reason=entry.reason, new={"refs": entry.new["refs"], "view": dict(view)})


# ---------------------------------------------------------------- scope


def _in_scope(mapping: CompiledMapping, native: Mapping[Side, Native]) -> bool:
    return all(
        mapping.policy.scope[side](values(mapping, side, native[side]), native[side]) for side in SIDES if side in mapping.policy.scope
    )


def _left_scope(mapping: CompiledMapping, draft: Draft, native: Mapping[Side, Native], traits: Mapping[Side, Traits]) -> ContactPlan:
    """A linked contact that left the scope: by policy archived, unlinked, or dormant with its base kept. An opt-out still travels."""
    contact, leave = draft.contact, mapping.policy.on_leave
    if leave == "unlink":
        draft.entries.append(Entry("unlink", contact.contact_id, reason="left the scope"))
        return _finish(draft, "unlinked")
    if leave == "archive":
        outside = next(
            s for s in SIDES if s in mapping.policy.scope and not mapping.policy.scope[s](values(mapping, s, native[s]), native[s])
        )
        return _finish(draft, "deleted", [_archive(draft, other(outside), "left the scope", traits)])
    for field_ in mapping.fields:
        if field_.consent:
            _merge_one(field_, draft, native, traits, linking=False)
        else:
            _wait(draft, field_)
    return _finish(draft, "active", _updates(draft, native, traits))


# ---------------------------------------------------------------- one live, none across


def _create(mapping: CompiledMapping, draft: Draft, source: Side, traits: Mapping[Side, Traits]) -> ContactPlan:
    contact, target = draft.contact, other(source)
    native = contact.sides[source].seen
    shown = values(mapping, source, native)
    policy = mapping.policy
    if contact.state not in ("new", "active") or not (
        (source not in policy.scope or policy.scope[source](shown, native))
        and (target not in policy.create or policy.create[target](shown, native))
    ):
        return _finish(draft, contact.state)
    for field_ in mapping.fields:
        _create_one(field_, draft, source, native, traits[source])
    unborn = _unborn(mapping, draft, source)
    if unborn is not None:
        return _finish(Draft(contact, holds=[*draft.holds, unborn], view=dict(contact.view)), contact.state)
    refs = {source: contact.sides[source].ref}
    reason = f"{TITLE[source]} has this person and {TITLE[target]} does not"
    draft.entries.append(
        Entry(
            "create",
            contact.contact_id,
            None,
            source,
            refs[source],
            None,
            {"refs": refs, "view": dict(draft.view)},
            "create",
            "none",
            reason,
            (target,),
        )
    )
    draft.count("creates")
    held = draft.waiting[source]
    confirms = tuple(name for name in native if name not in held)
    write = Write(target, "create", None, draft.put[target], draft.consent[target], confirms=confirms, entries=(len(draft.entries) - 1,))
    draft.waiting[source] = set(native)
    return _finish(draft, "active", [write])


def _unborn(mapping: CompiledMapping, draft: Draft, source: Side) -> Hold | None:
    """Why the record cannot be created at all: the other side requires a field that has no value to put, or its consent waits."""
    target, held = other(source), {hold.field for hold in draft.holds}
    for field_ in mapping.fields:
        if field_.consent and field_.name in held and field_.may_write(target):
            return Hold("Required", f"a record is never created in {TITLE[target]} before its {field_.name} is known", "", target)
    missing = [
        f.name for f in mapping.fields
        if target in f.required_in and f.may_write(target) and (f.name in held or is_blank(draft.view.get(f.name)))
    ]  # fmt: skip
    return Hold("Required", f"{TITLE[target]} requires {', '.join(missing)}, and {TITLE[source]} has none", "", target) if missing else None


def _create_one(field_: Field, draft: Draft, source: Side, native: Native, traits: Traits) -> None:
    """One field of a new record: its value if it has one and may travel; consent always, and never wider than it can be proved."""
    target = other(source)
    value, error = read_field(field_, source, native)
    if error is not None:
        return _hold(draft, field_, Hold(type(error).__name__, str(error), field_.name, source))
    if value is not MISSING and not is_blank(value):
        draft.view[field_.name] = value
    if not field_.may_write(target):
        draft.waiting[source].update(field_.lenses[source].names)  # it is told by the other side: nothing is agreed yet
        return None
    if field_.consent:
        state = draft.contact.sides[source]
        at_us, _ = _changed_at(field_.lenses[source].names, state, traits)
        if at_us is not None:
            draft.agreed_us[field_.name] = at_us
        value = _consent_at_birth(field_, value, state)
    if value is MISSING or is_blank(value):
        return None
    try:
        put = field_.lenses[target].put(value, dict(draft.put[target]))
    except SyncError as failure:
        if failure.recovery is not Recovery.HOLD:
            raise
        return _hold(draft, field_, Hold(type(failure).__name__, str(failure), field_.name, target))
    (draft.consent if field_.consent else draft.put)[target].update(put)
    return None


def _consent_at_birth(field_: Field, value: Value, state: SideState) -> Value:
    """Silence stays silence; the widest value needs proof, or is asked for again."""
    rule = field_.rule
    if value is MISSING or is_blank(value):
        return rule.silent[0] if rule.silent else None
    if field_.grant and rule.order and value == rule.order[0] and state.proof is None:
        return field_.grant.writes
    return value


# ---------------------------------------------------------------- one live, one dead


def _died(mapping: CompiledMapping, draft: Draft, alive: Side, dead: Side, traits: Mapping[Side, Traits]) -> ContactPlan:
    """A delete seen on one side: follow the policy, unless the living record was edited since: the edit survives, the pair parts."""
    contact = draft.contact
    how = {"archived": "archived", "gone": "deleted", "merged": "merged away"}[contact.sides[dead].liveness]
    draft.entries.append(Entry("delete", contact.contact_id, None, dead, contact.sides[dead].ref, reason=f"{how} in {TITLE[dead]}"))
    wish = mapping.policy.delete_seen_in.get(dead, "unlink")
    if wish == "archive" and _edited(mapping, contact.sides[alive], alive):
        reason = f"{TITLE[alive]} changed it since it was {how} in {TITLE[dead]}; the edit is kept and the pair parts"
        draft.entries.append(
            Entry("unlink", contact.contact_id, None, alive, contact.sides[alive].ref, rule="edit_survives", reason=reason)
        )
        return _finish(draft, "unlinked")
    if wish == "archive":
        return _finish(draft, "deleted", [_archive(draft, alive, f"{how} in {TITLE[dead]}", traits)])
    draft.entries.append(Entry("unlink", contact.contact_id, reason=f"{how} in {TITLE[dead]}; {TITLE[alive]} keeps its record"))
    return _finish(draft, "unlinked")


def _edited(mapping: CompiledMapping, state: SideState, side: Side) -> bool:
    if state.shadow is None:
        return False
    for field_ in mapping.fields:
        now, base = read_field(field_, side, state.seen)[0], read_field(field_, side, state.shadow)[0]
        if now is not MISSING and base is not MISSING and field_.canon(now) != field_.canon(base) and field_.may_write(other(side)):
            return True
    return False


def _archive(draft: Draft, side: Side, reason: str, traits: Mapping[Side, Traits]) -> Write:
    state = draft.contact.sides[side]
    draft.entries.append(Entry("archive", draft.contact.contact_id, None, side, state.ref, reason=reason, to=(side,)))
    draft.count("archives")
    anchor = _anchor(state.seen, traits[side])
    # All that it shows is expected: an edit made until then must not be buried unseen.
    return Write(side, "archive", state.ref, expect=state.seen, version=state.version, anchor=anchor, entries=(len(draft.entries) - 1,))


def _may_be_ours(mapping: CompiledMapping, alive: Side) -> bool:
    """Whether a dead record across may be one that we archived. One that people deleted while its partner lived on stays deleted."""
    return mapping.policy.delete_seen_in.get(alive) == "archive" or mapping.policy.on_leave == "archive"


def _undelete(mapping: CompiledMapping, draft: Draft, alive: Side, dead: Side, traits: Mapping[Side, Traits]) -> ContactPlan:
    """A record came back after we archived its partner: bring the partner back with the consent it had, or say that it cannot be.

    Both bases stay: what changed meanwhile is merged once the partner is back.
    """
    contact, state = draft.contact, draft.contact.sides[dead]
    seen = contact.sides[alive].seen
    if alive in mapping.policy.scope and not mapping.policy.scope[alive](values(mapping, alive, seen), seen):
        return _finish(draft, contact.state)
    if state.liveness != "archived" or not traits[dead].can_restore:
        reason = f"it is live again in {TITLE[alive]}, and {TITLE[dead]} cannot bring its record back"
        draft.holds.append(Hold("CannotRestore", reason, "", dead))
        return _finish(draft, contact.state)
    try:
        consent = _consent_at_return(mapping, contact, alive, dead)
    except SyncError as error:
        if error.recovery is not Recovery.HOLD:
            raise
        draft.holds.append(Hold(type(error).__name__, str(error), "", dead))
        return _finish(draft, contact.state)
    reason = f"it is live again in {TITLE[alive]}"
    draft.entries.append(Entry("restore", contact.contact_id, None, alive, contact.sides[alive].ref, reason=reason, to=(dead,)))
    draft.count("updates")
    write = Write(
        dead, "restore", state.ref, {}, consent, anchor=_anchor(state.shadow or state.seen, traits[dead]), entries=(len(draft.entries) - 1,)
    )
    for side in SIDES:
        draft.waiting[side].update(contact.sides[side].seen)
    return _finish(draft, "active", [write])


def _consent_at_return(mapping: CompiledMapping, contact: Contact, alive: Side, dead: Side) -> dict[str, Any]:
    """The consent it had; a restriction that its partner shows by now goes first."""
    shadow = dict(contact.sides[dead].shadow or {})
    consent: dict[str, Any] = {}
    for field_ in mapping.fields:
        if not field_.consent:
            continue
        consent.update({name: shadow[name] for name in field_.lenses[dead].names if name in shadow})
        order, theirs = field_.rule.order, read_field(field_, dead, shadow)[0]
        shown = read_field(field_, alive, contact.sides[alive].seen)[0]
        if field_.may_write(dead) and _place(order, shown) > max(_place(order, theirs), 0):
            consent.update(field_.lenses[dead].put(shown, shadow))
    return consent


def _bury_losers(mapping: CompiledMapping, draft: Draft, traits: Mapping[Side, Traits]) -> list[Write]:
    """The far-side records of contacts merged into this one follow the policy of deletes."""
    writes = []
    for side, losers in draft.contact.losers.items():
        if mapping.policy.delete_seen_in.get(other(side)) != "archive":
            continue
        for loser in losers:
            if loser.liveness in DEAD:
                continue
            reason = f"its contact was merged in {TITLE[other(side)]}"
            draft.entries.append(Entry("change", draft.contact.contact_id, None, side, loser.ref, reason=reason, rule="merged", to=(side,)))
            draft.count("archives")
            anchor = _anchor(loser.seen, traits[side])
            writes.append(Write(side, "archive", loser.ref, version=loser.version, anchor=anchor, entries=(len(draft.entries) - 1,)))
    return writes


# ---------------------------------------------------------------- the end


def _finish(draft: Draft, state: str, writes: list[Write] | None = None) -> ContactPlan:
    contact = draft.contact
    if draft.holds:
        draft.totals["holds"] = len(draft.holds)
    return ContactPlan(
        contact.contact_id, contact.state == "new", state,
        {side: s.ref for side, s in contact.sides.items()},
        draft.view, draft.agreed_us,
        {side: _shadow(s, draft.waiting[side], state) for side, s in contact.sides.items()},
        tuple(draft.entries), tuple(writes or ()), tuple(draft.holds), draft.totals,
    )  # fmt: skip


def _shadow(state: SideState, waiting: set[str], outcome: str) -> Native:
    """The base after commit: what is seen, except where a write or a hold is still to come, and for names that were not shown this time.

    A dead or parted record keeps its old base.
    """
    old = state.shadow or {}
    if outcome != "active":
        return old
    return {**old, **{name: value for name, value in state.seen.items() if name not in waiting}}
