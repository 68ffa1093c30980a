"""One live record and a dead one across, or merged away: archive, unlink, or bring back what we archived. Only `planner` imports it.

It promises that a delete buries no edit made since, that nothing which people deleted comes back, and that what does come back has the
consent it had, or a stricter one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from syncline.conflict import TITLE, is_widest
from syncline.draft import Draft, anchor_of, finish, place
from syncline.errors import Recovery, SyncError
from syncline.log import Entry
from syncline.mapping import CompiledMapping, Field
from syncline.merge import Values, read_field, would_show
from syncline.plan import Contact, ContactPlan, Hold, SideState, Traits, Write
from syncline.records import MISSING, SIDES, Side, Value, is_blank, other

DEAD = ("archived", "gone", "merged")


def died(mapping: CompiledMapping, draft: Draft, alive: Side, dead: Side, traits: Mapping[Side, Traits]) -> ContactPlan:
    """A delete seen on one side: follow the policy, unless the living record was edited since: the edit survives, the pair parts."""
    contact = draft.contact
    how = {"archived": "archived", "gone": "deleted", "merged": "merged away"}[contact.sides[dead].liveness]
    draft.entries.append(Entry("delete", contact.contact_id, None, dead, contact.sides[dead].ref, reason=f"{how} in {TITLE[dead]}"))
    wish = mapping.policy.delete_seen_in.get(dead, "unlink")
    if wish == "archive" and lost_with_it(mapping, contact, alive, dead):
        draft.entries.append(survives(contact, alive, f"it was {how} in {TITLE[dead]}"))
        return finish(draft, "unlinked")
    if wish == "archive":
        return finish(draft, "deleted", [archive(draft, alive, f"{how} in {TITLE[dead]}", traits)])
    draft.entries.append(Entry("unlink", contact.contact_id, reason=f"{how} in {TITLE[dead]}; {TITLE[alive]} keeps its record"))
    return finish(draft, "unlinked")


def survives(contact: Contact, side: Side, since: str) -> Entry:
    """The entry of a pair that parts because an archive would bury an edit made on this side."""
    reason = f"{TITLE[side]} changed it since {since}; the edit is kept and the pair parts"
    return Entry("unlink", contact.contact_id, None, side, contact.sides[side].ref, rule="edit_survives", reason=reason)


def lost_with_it(mapping: CompiledMapping, contact: Contact, alive: Side, dead: Side) -> bool:
    """Whether something was changed that the dead record, or one out of scope, does not show too.

    Where it shows it, our own write may never have got its answer.
    """
    edits, there = _edited(mapping, contact, contact.sides[alive], alive), contact.sides[dead].seen
    fields = (mapping.field(name) for name in edits)
    return any(field_.canon(read_field(field_, dead, there)[0]) != field_.canon(edits[field_.name]) for field_ in fields)


def _edited(mapping: CompiledMapping, contact: Contact, state: SideState, side: Side) -> dict[str, Value]:
    """What was changed on this side since it was agreed, of what may travel."""
    edits: dict[str, Value] = {}
    for field_ in mapping.fields:
        now = read_field(field_, side, state.seen)[0]
        if now is not MISSING and field_.may_write(other(side)) and field_.canon(now) != _agreed(field_, contact, state, side, now):
            edits[field_.name] = now
    return edits


def _agreed(field_: Field, contact: Contact, state: SideState, side: Side, now: Value) -> object:
    """In canonical form, what this side would show had nobody touched it.

    After a change of mapping, or under another ref, there is no base: then what both agreed on tells, as this side would show it, and a
    side that says nothing has no edit to lose. That may take too much for an edit, and keeps a record; never too little.
    """
    silent = is_blank(now) or now in field_.rule.silent
    if state.shadow is None:
        return field_.canon(now) if silent else would_show(field_, side, contact.view.get(field_.name), {side: state.seen})
    base = read_field(field_, side, state.shadow)[0]
    if base is MISSING:  # what was blank when the record was made has no base
        return field_.canon(now) if silent else None
    return field_.canon(base)


def archive(draft: Draft, side: Side, reason: str, traits: Mapping[Side, Traits]) -> Write:
    """One archive, with its entry and its count."""
    state = draft.contact.sides[side]
    draft.entries.append(Entry("archive", draft.contact.contact_id, None, side, state.ref, reason=reason, to=(side,)))
    draft.count("archives")
    anchor = anchor_of(state.seen, traits[side])
    # All that it shows is expected: an edit made until then must not be buried unseen.
    return Write(side, "archive", state.ref, expect=state.seen, version=state.version, anchor=anchor, entries=(len(draft.entries) - 1,))


# ---------------------------------------------------------------- a record came back


def may_be_ours(mapping: CompiledMapping, alive: Side) -> bool:
    """Whether a dead record across may be one that we archived. One that people deleted while its partner lived on stays deleted."""
    leaves = mapping.policy.on_leave == "archive" and alive in mapping.policy.scope
    return leaves or mapping.policy.delete_seen_in.get(alive) == "archive"


def undelete(mapping: CompiledMapping, draft: Draft, alive: Side, dead: Side, traits: Mapping[Side, Traits]) -> ContactPlan:
    """A record came back after we archived its partner: bring the partner back with the consent it had, or say that it cannot be.

    Both bases stay: what changed meanwhile is merged once the partner is back.
    """
    contact, state = draft.contact, draft.contact.sides[dead]
    seen = contact.sides[alive].seen
    if alive in mapping.policy.scope and not mapping.policy.scope[alive](Values(mapping, alive, seen), seen):
        return finish(draft, contact.state)
    if not may_be_ours(mapping, alive):
        reason = f"it is live again in {TITLE[alive]}, and the mapping does not bring back what went in {TITLE[dead]}"
        draft.holds.append(Hold("CannotRestore", reason, "", dead))
        return finish(draft, contact.state)
    if state.liveness != "archived" or not traits[dead].can_restore:
        reason = f"it is live again in {TITLE[alive]}, and {TITLE[dead]} cannot bring its record back"
        draft.holds.append(Hold("CannotRestore", reason, "", dead))
        return finish(draft, contact.state)
    try:
        consent = _consent_at_return(mapping, draft, alive, dead)
    except SyncError as error:
        if error.recovery is not Recovery.HOLD:
            raise
        draft.holds.append(Hold(type(error).__name__, str(error), "", dead))
        return finish(draft, contact.state)
    reason = f"it is live again in {TITLE[alive]}"
    draft.entries.append(Entry("restore", contact.contact_id, None, alive, contact.sides[alive].ref, reason=reason, to=(dead,)))
    draft.count("updates")
    anchor = anchor_of(state.shadow or state.seen, traits[dead])
    write = Write(dead, "restore", state.ref, {}, consent, anchor=anchor, entries=(len(draft.entries) - 1,))
    for side in SIDES:
        draft.waiting[side].update(contact.sides[side].seen)
    return finish(draft, "active", [write])


def _consent_at_return(mapping: CompiledMapping, draft: Draft, alive: Side, dead: Side) -> dict[str, Any]:
    """The consent it had, or said before it went; a restriction that its partner shows by now, or that was agreed, goes first."""
    contact = draft.contact
    agreed, said = dict(contact.sides[dead].shadow or {}), contact.sides[dead].seen
    consent: dict[str, Any] = {}
    for field_ in mapping.fields:
        if not field_.consent:
            continue
        order = field_.rule.order
        had, last = (read_field(field_, dead, native)[0] for native in (agreed, said))
        # Nor is anybody subscribed by a restore who had fallen silent meanwhile.
        its_last = _restriction(order, last) > _restriction(order, had) or (is_widest(field_.rule, had) and last is not MISSING)
        shadow = {**agreed, **{name: said[name] for name in field_.lenses[dead].names if name in said}} if its_last else agreed
        consent.update({name: shadow[name] for name in field_.lenses[dead].names if name in shadow})
        theirs = read_field(field_, dead, shadow)[0]
        shown = read_field(field_, alive, contact.sides[alive].seen)[0]
        if order and draft.view.get(field_.name) == order[-1]:
            shown = order[-1]
        if field_.may_write(dead) and _restriction(order, shown) > _restriction(order, theirs):
            consent.update(field_.lenses[dead].put(shown, shadow))
    return consent


def _restriction(order: tuple[str, ...], value: Value) -> int:
    """How strict it is; -1 for what restricts nothing, as the widest of several values does."""
    strict = place(order, value)
    return strict if strict > 0 or len(order) == 1 else -1


# ---------------------------------------------------------------- merged away


def bury_losers(mapping: CompiledMapping, contact: Contact, plan: ContactPlan, traits: Mapping[Side, Traits]) -> ContactPlan:
    """The plan, and the far-side records of contacts merged into this one, by the policy of deletes. What was edited there, the log keeps.

    Whatever becomes of the contact itself, held, asleep or parted: a loser that no plan buries is a record that nobody watches any more.
    """
    entries, writes = list(plan.entries), list(plan.writes)
    for side, losers in contact.losers.items():
        if mapping.policy.delete_seen_in.get(other(side)) != "archive":
            continue
        for loser in losers:
            if loser.liveness in DEAD:
                continue
            reason = f"its contact was merged in {TITLE[other(side)]}"
            old = _edited(mapping, contact, loser, side) or None
            anchor, index = anchor_of(loser.seen, traits[side]), len(entries)
            entries.append(Entry("change", contact.contact_id, None, side, loser.ref, old, reason=reason, rule="merged", to=(side,)))
            writes.append(Write(side, "archive", loser.ref, expect=loser.seen, version=loser.version, anchor=anchor, entries=(index,)))
    if len(writes) == len(plan.writes):
        return plan
    archives = plan.totals.get("archives", 0) + len(writes) - len(plan.writes)
    return replace(plan, entries=tuple(entries), writes=tuple(writes), totals={**plan.totals, "archives": archives})
