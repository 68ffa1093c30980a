"""One live record and none across: create it there, if scope and policy allow. Only `planner` imports it.

It promises that no record is born without what its vendor requires, nor, where the mapping asks for proof, with consent that nobody proved.
"""

from __future__ import annotations

from collections.abc import Mapping

from syncline.conflict import TITLE, bears_proof, is_widest
from syncline.draft import Draft, changed_at, finish, hold_field, merged_opt_out
from syncline.errors import Recovery, SyncError
from syncline.log import Entry
from syncline.mapping import CompiledMapping, Field, Route
from syncline.merge import Values
from syncline.plan import ALL_SHOWN, ContactPlan, Hold, SideState, Traits, Write
from syncline.records import MISSING, Side, Value, is_blank, other


def create(mapping: CompiledMapping, draft: Draft, source: Side, traits: Mapping[Side, Traits]) -> ContactPlan:
    """One create across, with all that may travel; no entry and no write when scope, policy or a missing value forbid it."""
    contact, target = draft.contact, other(source)
    native = contact.sides[source].seen
    policy, shown = mapping.policy, Values(mapping, source, native)
    if contact.state == "unlinked":
        reason = f"it is live again in {TITLE[source]}, and what it was paired with in {TITLE[target]} belongs to another contact by now"
        return finish(Draft(contact, [Hold("CannotRestore", reason, "", target)]), contact.state)
    if contact.state not in ("new", "active", "deleted") or not (
        (source not in policy.scope or policy.scope[source](shown, native))
        and (target not in policy.create or policy.create[target](shown, native))
    ):
        return finish(draft, contact.state)
    _carry(mapping, draft, source, traits[source])
    unborn = _unborn(mapping, draft, source)
    if unborn is not None:
        return finish(Draft(contact, [*draft.holds, unborn]), contact.state)
    state, reason = contact.sides[source], f"{TITLE[source]} has this person and {TITLE[target]} does not"
    draft.entries.append(
        Entry(
            "create", contact.contact_id, None, source, state.ref, None, {"refs": {source: state.ref}, "view": draft.view},
            "create", "none", reason, (target,),
        )
    )  # fmt: skip
    draft.count("creates")
    held = draft.waiting[source]
    confirms = tuple(name for name in native if name not in held) if held else ALL_SHOWN
    number = len(draft.entries) - 1
    born = Write(target, "create", None, draft.put[target], draft.consent[target], {}, None, {}, confirms, (number,))
    return finish(draft, "active", (born,), {source: state.shadow or {}})  # nothing more is agreed before it is born


def _carry(mapping: CompiledMapping, draft: Draft, source: Side, traits: Traits) -> None:
    """Every value that may travel, on its way."""
    native, target = draft.contact.sides[source].seen, other(source)
    put, view = draft.put[target], draft.view
    for name, here, across, most, route in mapping.routes[source]:
        if most:  # most fields of a first load: no lens, no refusal, nothing to judge
            text = native.get(here)
            if type(text) is str and 0 < len(text) <= most and not text.isspace():
                view[name] = put[across] = text
                continue
        try:
            value = route.get(native)
        except SyncError as error:
            _refused(error, draft, route.field, source)
            continue
        if route.put is None or route.field.consent:
            _create_special(route, value, draft, source, traits)
        elif value or not (value is MISSING or is_blank(value)):
            view[name] = value
            try:
                put.update(route.put(value, put))
            except SyncError as error:
                _refused(error, draft, route.field, target)


def _unborn(mapping: CompiledMapping, draft: Draft, source: Side) -> Hold | None:
    """Why the record cannot be created at all: the other side requires a field that has no value to put, or its consent waits."""
    target, held = other(source), {hold.field for hold in draft.holds} if draft.holds else ()
    for name in held:
        if name and mapping.field(name).consent and mapping.field(name).may_write(target):
            return Hold("Required", f"a record is never created in {TITLE[target]} before its {name} is known", "", target)
    missing = [name for name in mapping.required[target] if name in held or is_blank(draft.view.get(name))]
    return Hold("Required", f"{TITLE[target]} requires {', '.join(missing)}, and {TITLE[source]} has none", "", target) if missing else None


def _create_special(route: Route, value: Value, draft: Draft, source: Side, traits: Traits) -> None:
    """What is no plain value on its way: it is told by the other side alone, or is consent, never wider than proved."""
    field_, target = route.field, other(source)
    if merged_opt_out(field_, draft.contact):
        value = field_.rule.order[-1]
    if value is not MISSING and not is_blank(value):
        draft.view[field_.name] = value
    if route.put is None:
        draft.waiting[source].update(field_.lenses[source].names)  # it is told by the other side: nothing is agreed yet
        return None
    if value is MISSING:
        reason = f"{TITLE[source]} does not show it now: a permission may be missing"
        return hold_field(draft, field_, Hold("NotShown", reason, field_.name, source))
    state = draft.contact.sides[source]
    at_us, _ = changed_at(field_.lenses[source].names, state, traits)
    if at_us is not None:
        draft.agreed_us[field_.name] = at_us
    value = _consent_at_birth(field_, value, state)
    if is_blank(value):
        return None
    try:
        draft.consent[target].update(route.put(value, draft.put[target]))
    except SyncError as failure:
        _refused(failure, draft, field_, target)
    return None


def _refused(failure: SyncError, draft: Draft, field_: Field, side: Side) -> None:
    """A value that cannot be read here, or has no place across, holds its field; any other error is a defect and is raised."""
    if failure.recovery is not Recovery.HOLD:
        raise failure
    hold_field(draft, field_, Hold(type(failure).__name__, str(failure), field_.name, side))


def _consent_at_birth(field_: Field, value: Value, state: SideState) -> Value:
    """Silence stays silence; the widest value needs proof, or is asked for again."""
    rule = field_.rule
    if is_blank(value):
        return rule.silent[0] if rule.silent else None
    if is_widest(rule, value) and not bears_proof(field_.grant, state.proof):
        return field_.grant.writes if field_.grant else next(iter(rule.silent), None)
    return value
