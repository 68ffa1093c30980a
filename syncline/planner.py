"""From one contact to its plan: what its records are decides what happens to it. Pure; only `flows` and `console` call it.

Theory of operation. A contact has a record on one side or on both, each live or dead, and a state. `plan_contact` reads the table

    both live                       merge field by field (and, without a base, link)        state becomes active
    one live, none across           create across, if scope and policy allow                active
    one live, one dead, active      the policy of deletes: archive, unlink or keep           deleted or unlinked
    one live, one dead, deleted     it came back: restore what we archived, or say that not  restore when the vendor can
    one live, one dead, unlinked    nothing: they parted                                     as it is
    both dead                       nothing                                                  deleted

Here are the table, its first row and what leaves the scope; `births` has the second row, `deaths` the others; what all of them decide
gathers in a `draft`. Whatever cannot be decided or written for one field holds that field alone; its base stays as it was, so it is
judged again later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from syncline.births import create
from syncline.conflict import TITLE, Dispute, Evidence, granted
from syncline.deaths import DEAD, archive, bury_losers, died, lost_with_it, survives, undelete
from syncline.draft import Draft, changed_at, evidence_for, finish, hold_field, keep_base, merged_opt_out, place, settle, updates
from syncline.log import Entry
from syncline.mapping import CompiledMapping, Field
from syncline.merge import Decision, Values, impose, merge_field, read_field
from syncline.plan import Contact, ContactPlan, Hold, Traits, Write
from syncline.records import MISSING, SIDES, Native, Side, Value, is_blank, other

__all__ = ["Traits", "plan_contact"]

MERGED_OPT_OUT = "a record that was merged into this one had opted out"


def plan_contact(mapping: CompiledMapping, contact: Contact, traits: Mapping[Side, Traits]) -> ContactPlan:
    """The plan for one contact. Never raises a HOLD error: what cannot be decided is in `holds`."""
    plan = _plan(mapping, contact, traits)
    return bury_losers(mapping, contact, plan, traits) if contact.losers and plan.state in ("active", "deleted", "unlinked") else plan


def _plan(mapping: CompiledMapping, contact: Contact, traits: Mapping[Side, Traits]) -> ContactPlan:
    """The plan of its own two records."""
    live = [side for side, state in contact.sides.items() if state.liveness == "live"]
    dead = [side for side, state in contact.sides.items() if state.liveness in DEAD]
    draft = Draft(contact)
    if contact.state in ("merged", "erased"):
        return finish(draft, contact.state)
    if dead and len(contact.sides) == 2:
        _hear(mapping, draft, traits)
    if len(live) == 2:
        return _merge(mapping, draft, traits)
    if len(live) == 1 and not dead:
        return create(mapping, draft, live[0], traits)
    if len(live) == 1 and contact.state == "active":
        return died(mapping, draft, live[0], dead[0], traits)
    if len(live) == 1 and contact.state == "deleted":
        return undelete(mapping, draft, live[0], dead[0], traits)
    if contact.state == "active":
        draft.entries.append(Entry("archive", contact.contact_id, reason="both records are gone"))
        return finish(draft, "deleted")
    return finish(draft, contact.state)


# ---------------------------------------------------------------- both live


def _merge(mapping: CompiledMapping, draft: Draft, traits: Mapping[Side, Traits]) -> ContactPlan:
    contact, linking = draft.contact, draft.contact.state != "active"
    native = {side: contact.sides[side].seen for side in SIDES}
    outside = _outside(mapping, native)
    if outside is not None:
        _hear(mapping, draft, traits)
        if contact.state == "active":
            return _left_scope(mapping, draft, outside, native, traits)
        return _parted(mapping, draft, native, traits)
    if linking:
        refs = {side: contact.sides[side].ref for side in SIDES}
        draft.entries.append(_linked(contact, refs))
        draft.count("links")
    for field_ in mapping.fields:
        _merge_one(field_, draft, native, traits, linking=linking)
    _hear(mapping, draft, traits)
    if linking and contact.state == "new":
        draft.entries[0] = _with_view(draft.entries[0], draft.view)
    return finish(draft, "active", updates(draft, native, traits))


def _linked(contact: Contact, refs: Mapping[Side, str]) -> Entry:
    if contact.state == "new":
        return Entry("link", contact.contact_id, reason="both sides have this person", new={"refs": refs, "view": {}})
    return Entry("revive", contact.contact_id, reason="both records are live again")


def _with_view(entry: Entry, view: Mapping[str, Value]) -> Entry:
    return Entry(entry.kind, entry.contact_id, reason=entry.reason, new={"refs": entry.new["refs"], "view": view})


def _merge_one(field_: Field, draft: Draft, native: Mapping[Side, Native], traits: Mapping[Side, Traits], *, linking: bool) -> None:
    """Decide one field and note what follows from it."""
    sides = draft.contact.sides
    now: dict[Side, Value] = {}
    for side in SIDES:
        now[side], error = read_field(field_, side, native[side])
        if error is not None:
            return hold_field(draft, field_, Hold(type(error).__name__, str(error), field_.name, side))
    if linking and draft.contact.state == "new" and not field_.consent and field_.canon(now["crm"]) == field_.canon(now["marketing"]):
        return _agree_quietly(field_, draft, MISSING, now)  # most fields of most people who meet for the first time
    base = {side: read_field(field_, side, sides[side].shadow)[0] for side in SIDES}
    evidence = evidence_for(field_, draft.contact, traits)
    decision = merge_field(field_, base, now, evidence, native)
    if decision is None and field_.name in draft.contact.held:
        decision = _still_apart(field_, now, native)
    if field_.consent and draft.contact.losers:
        decision = _restricted(field_, draft.contact, decision, now, native)
    if field_.consent:
        dispute = Dispute(field_.rule, base, now, SIDES, evidence, field_.on_blank, field_.grant)
        decision = _untold(field_, draft.contact, decision, dispute, native)
        _date_restriction(field_, draft, decision, now, evidence)
    if MISSING in now.values():
        keep_base(draft, field_)  # nobody can compare what was not shown: the base stays
    if linking and draft.contact.state == "new" and (decision is None or not (decision.writes or decision.held)):
        return _agree_quietly(field_, draft, decision.value if decision else MISSING, now)
    if decision is None:
        return None
    return settle(field_, decision, draft, native, now, evidence)


def _still_apart(field_: Field, now: Mapping[Side, Value], native: Mapping[Side, Native]) -> Decision | None:
    """A field that waits goes on waiting until both sides agree, even if a neighbour that shares its native name has moved its base on."""
    decision = merge_field(field_, dict.fromkeys(SIDES, MISSING), now, Evidence(), native)
    if decision is None or not (decision.writes or decision.held):
        return None
    return replace(decision, writes={}, held=True, code="Unresolved", reason="the two systems still differ here")


def _agree_quietly(field_: Field, draft: Draft, agreed: Value, now: Mapping[Side, Value]) -> None:
    """At link time a field that needs no write enters the view through the link's own entry."""
    value = next((v for v in (agreed, *now.values()) if v is not MISSING and not is_blank(v)), None)
    if value is not None and draft.view.get(field_.name) != value:
        draft.view[field_.name] = value


def _date_restriction(field_: Field, draft: Draft, decision: Decision | None, now: Mapping[Side, Value], evidence: Evidence) -> None:
    """What a later proof must beat: the newest time at which anything but a grant was agreed. A grant leaves it, so it can be repeated.

    A record that shows an opt-out was refused after the proof it bears: that proof is spent, whoever had agreed to what before.
    """
    order, known = field_.rule.order, [evidence.agreed_us]
    known += [proof.at_us for side, proof in evidence.proof.items() if proof is not None and order and now[side] == order[-1]]
    if decision is not None and not decision.held:
        widens = any(place(order, value) < place(order, now[side]) for side, value in decision.writes.items())
        known += () if widens else evidence.at_us.values()
    at_us = max((at for at in known if at is not None), default=None)
    if at_us is not None and (decision is not None or at_us != evidence.agreed_us):
        draft.agreed_us[field_.name] = at_us


def _restricted(
    field_: Field, contact: Contact, decision: Decision | None, now: Mapping[Side, Value], native: Mapping[Side, Native]
) -> Decision | None:
    """The opt-outs of records that were merged away count as the survivor's own; what lies short of one (a bounce) was theirs alone."""
    order = field_.rule.order
    current = decision.value if decision is not None and not decision.held else max(now.values(), key=lambda v: place(order, v))
    if not merged_opt_out(field_, contact) or current == order[-1] or MISSING in now.values():
        return decision
    return impose(field_, order[-1], MERGED_OPT_OUT, now, native)


def _hear(mapping: CompiledMapping, draft: Draft, traits: Mapping[Side, Traits]) -> None:
    """The opt-out of a record that was merged away is agreed where no merge carries it, too: heard once, it stands till both tell it.

    A new contact agrees on it as it is linked.
    """
    contact = draft.contact
    for field_ in mapping.fields if contact.losers and contact.state != "new" else ():
        if merged_opt_out(field_, contact):
            _agree_on_theirs(field_, draft, traits)


def _agree_on_theirs(field_: Field, draft: Draft, traits: Mapping[Side, Traits]) -> None:
    """It counts from when the newest of them said so, also where the survivor itself had opted out before."""
    contact, name = draft.contact, field_.name
    lost = [(side, loser) for side, losers in contact.losers.items() for loser in losers]
    times = [changed_at(field_.lenses[side].names, loser, traits[side])[0] for side, loser in lost]
    known = [at for at in (*times, contact.agreed_us.get(name), draft.agreed_us.get(name)) if at is not None]
    if known:
        draft.agreed_us[name] = max(known)
    before, opt_out = draft.view.get(name), field_.rule.order[-1]
    if before != opt_out:
        draft.view[name] = opt_out
        entry = Entry("change", contact.contact_id, name, None, None, before, opt_out, field_.rule.name, reason=MERGED_OPT_OUT)
        draft.entries.append(entry)


def _untold(field_: Field, contact: Contact, decision: Decision | None, d: Dispute, native: Mapping[Side, Native]) -> Decision | None:
    """An agreed opt-out stands until both sides show it: who said so may be merged away by now, and a write of it may have failed.

    Nor is it agreement that both show the same again because one took it back before the other had heard of it, or before the newest of
    several opt-outs was made. What both had shown, and both took back since, is people's own doing; and proof counts as ever.
    """
    order = field_.rule.order
    if not order or contact.view.get(field_.name) != order[-1] or MISSING in d.now.values():
        return decision
    if decision is not None and _knows(decision, order[-1], d):
        return decision
    told = dict.fromkeys(SIDES, order[-1])
    if granted(replace(d, base=told)):
        return merge_field(field_, told, d.now, d.evidence, native) or decision
    imposed = impose(field_, order[-1], "an opt-out was agreed, and not every side shows it yet", d.now, native)
    return imposed if imposed.writes else decision


def _knows(decision: Decision, opt_out: Value, d: Dispute) -> bool:
    """Whether an opt-out was weighed in it: a side had shown it before. Of two that show the same, both must have, and moved since."""
    if decision.rule == "agreed":
        agreed_us = d.evidence.agreed_us or 0
        since = all(at is None or at >= agreed_us for at in d.evidence.at_us.values())
        return since and all(said == opt_out for said in d.base.values())
    return decision.held or opt_out in (decision.value, *d.base.values())


# ---------------------------------------------------------------- scope


def _outside(mapping: CompiledMapping, native: Mapping[Side, Native]) -> Side | None:
    """The side whose record is out of scope; the first, when both are."""
    scope = mapping.policy.scope
    return next((side for side in SIDES if side in scope and not scope[side](Values(mapping, side, native[side]), native[side])), None)


def _was_inside(mapping: CompiledMapping, contact: Contact, outside: Side) -> bool:
    """Whether it left the scope. Who was made across from the other side may never have been in it, and sleeps.

    Nor who has just joined it, and has no base; where no side has one the mapping was edited, and whoever is outside now has left.
    """
    bases = {side: state.shadow for side, state in contact.sides.items()}
    base = bases[outside]
    if base is None or None in bases.values():
        return all(one is None for one in bases.values())
    return mapping.policy.scope[outside](Values(mapping, outside, base), base)


def _left_scope(
    mapping: CompiledMapping, draft: Draft, outside: Side, native: Mapping[Side, Native], traits: Mapping[Side, Traits]
) -> ContactPlan:
    """A linked contact that left the scope: by policy archived, unlinked, or dormant with its base kept. An opt-out still travels.

    An archive buries no edit that the record outside does not show: then the pair parts, as after a delete.
    """
    contact, across = draft.contact, other(outside)
    leave = mapping.policy.on_leave if _was_inside(mapping, contact, outside) else "keep"
    if leave == "archive" and not lost_with_it(mapping, contact, across, outside):
        return finish(draft, "deleted", [archive(draft, across, "left the scope", traits)])
    writes = _consent_alone(mapping, draft, [field_.name for field_ in mapping.fields if field_.consent], native, traits)
    if leave == "keep":
        return finish(draft, "active", writes)
    draft.holds.clear()
    edited = survives(contact, across, f"its partner in {TITLE[outside]} left the scope")
    draft.entries.append(edited if leave == "archive" else Entry("unlink", contact.contact_id, reason="left the scope"))
    return replace(finish(draft, "active", writes), state="unlinked")  # what was said of consent is agreed, and has its base


def _parted(mapping: CompiledMapping, draft: Draft, native: Mapping[Side, Native], traits: Mapping[Side, Traits]) -> ContactPlan:
    """Out of scope, and ended before: nothing is told but an opt-out that was agreed, and that a side has never shown since."""
    contact = draft.contact
    untold = []
    for field_ in mapping.fields:
        opt_out = field_.rule.order[-1] if field_.consent and field_.rule.order else MISSING
        bases = [read_field(field_, side, contact.sides[side].shadow)[0] for side in SIDES]
        if draft.view.get(field_.name) == opt_out and (bases != [opt_out, opt_out] or merged_opt_out(field_, contact)):
            untold.append(field_.name)
    if not untold:
        return finish(draft, contact.state)
    return replace(finish(draft, "active", _consent_alone(mapping, draft, untold, native, traits)), state=contact.state)


def _consent_alone(
    mapping: CompiledMapping, draft: Draft, names: Sequence[str], native: Mapping[Side, Native], traits: Mapping[Side, Traits]
) -> list[Write]:
    """Merge these fields of consent; every other base stays."""
    for field_ in mapping.fields:
        if field_.name in names:
            _merge_one(field_, draft, native, traits, linking=False)
        else:
            keep_base(draft, field_)
    return updates(draft, native, traits)
