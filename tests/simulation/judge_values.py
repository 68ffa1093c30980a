"""I1, I2, I3: values agree, none is lost, none is invented."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from syncline.records import SIDES, Side, other
from tests.simulation.case import Case, line, pairs
from tests.simulation.habits import dialled
from tests.simulation.mapping import CLEARS
from tests.simulation.vendor import Effect, Rec, Vendor
from tests.simulation.words import address_key, members, searchable
from tests.simulation.world import Violation, World

MARK = re.compile(r"q\d{4}|1555\d{4}|19[5-9]\d-\d\d-\d\d")
OWN = {"marketing": "company"}
"""Fields that nobody reads from that side."""

TWO_WAY = ("email", "first", "last", "city", "note", "birthday", "phone", "stage", "tags")


def converged(case: Case, swept: bool = True) -> Iterator[Violation]:
    """I1: linked records mean the same, or the difference waits with a reason, or is a blank that says nothing.

    What a vendor refused waits as a whole, until a sweep.
    """
    for crm, marketing in pairs(case):
        if not swept and (case.waits("crm", crm) or case.waits("marketing", marketing)):
            continue
        for name in (*TWO_WAY, "company", "consent"):
            left, right = crm.fields[name], marketing.fields[name]
            if not _agree(case, name, left, right) and not _explained(case, name, crm, marketing):
                yield Violation("I1", f"{crm.ref} and {marketing.ref} (person {crm.who}): {name} {left!r} and {right!r}")


def _agree(case: Case, name: str, left: Any, right: Any) -> bool:
    if name == "consent":
        words = {side: case.world.vendors[side].profile.words for side in SIDES}
        return (left == words["crm"]["out"]) == (right == words["marketing"]["out"])
    if name == "tags":
        return sorted(members(left)) == sorted(members(right))
    crm, marketing = (case.world.vendors[side] for side in SIDES)
    one, two = _plain(name, left), _plain(name, right)
    shown = _plain(name, marketing.normal(name, _sent(name, left)))
    back = _plain(name, crm.normal(name, right))
    return two in (one, shown) or one == back


def _sent(name: str, value: Any) -> Any:
    """As the mapping writes it into marketing: first names have twelve letters there."""
    return value[:12].rstrip() if name == "first" and isinstance(value, str) else value


def _plain(name: str, value: Any) -> Any:
    """What a value means, by rules of our own."""
    text = str(value or "").strip()
    if name == "email":
        return text.lower()
    if name == "phone":
        return dialled(text)
    return text.lower() if name == "stage" else text[:10] if name == "birthday" else text


def _explained(case: Case, name: str, crm: Rec, marketing: Rec) -> bool:
    if name == "company" and not crm.fields[name]:
        return True  # read from the CRM alone, and a blank there says nothing
    recs: dict[Side, Rec] = {"crm": crm, "marketing": marketing}
    if any(case.waits_for(side, rec, name) for side, rec in recs.items()) or case.refused(recs):
        return True
    if any(unknown(case.world.vendors[side], rec, name) for side, rec in recs.items() for unknown in (_taken_for_ours, _forgot_ours)):
        return True
    if name in CLEARS or name == "consent":
        return False
    return any(_blanked(case, side, recs, name) for side in SIDES if not recs[side].fields[name])


def _taken_for_ours(vendor: Vendor, rec: Rec, name: str) -> bool:
    """Changed after a write whose answer did not show the record, before we looked: that cannot be told from the vendor's form of ours."""
    *_, write, edit = [None, None, *(e for e in vendor.effects if e.ref == rec.ref and e.field == name)]
    if write is None or edit is None or edit.engine or not write.engine:
        return False
    answered = next((at for at in vendor.silent.get(rec.ref, ()) if at >= write.at_us), None)
    looked = next((at for at, _, _ in vendor.looks.get(rec.ref, ()) if at >= write.at_us), None)
    return answered is not None and looked is not None and answered <= looked and edit.at_us <= looked


def _forgot_ours(vendor: Vendor, rec: Rec, name: str) -> bool:
    """It went back over a write of ours that had no answer, and whose look-up had shown an older copy: all is as we knew it."""
    mine = [e for e in vendor.effects if e.ref == rec.ref]
    back_us = max((e.at_us for e in mine if e.op == "restored"), default=0)
    written = [e.at_us for e in mine if e.field == name and e.engine and e.at_us < back_us]
    return bool(written) and all(
        any(written[-1] <= at_us <= back_us for at_us in times.get(rec.ref, ())) for times in (vendor.silent, vendor.lies)
    )


def _blanked(case: Case, side: Side, recs: Mapping[Side, Rec], name: str) -> bool:
    """Somebody emptied it, or the vendor's backup did, and nobody has written it across since: under this mapping, that says nothing.

    A merge may have brought two people here.
    """
    people = {rec.who for rec in recs.values()}
    here, across = (_said(case.world.vendors[s], recs[s], people, name) for s in (side, other(side)))
    blanks = [effect.at_us for effect in here if effect.op == "restored" or (not effect.engine and not effect.after and effect.before)]
    ref = recs[other(side)].ref  # not what was written into one that went into it later
    forgot_us = max((e.at_us for e in across if e.op == "restored" and e.ref == ref), default=0)
    stands = [e for e in across if e.field == name and e.op != "fill" and e.ref == ref][-1:]
    written = (e for e in stands if not e.engine and e.after)
    return bool(blanks) and not any(e.at_us > max(blanks[-1], forgot_us) for e in written)


def _said(vendor: Vendor, rec: Rec, people: set[int], name: str) -> list[Effect]:
    """What became of a field of these people here, and of what was merged into this record."""
    refs = {one.ref for one in line(vendor, rec)}
    mine = (effect for effect in vendor.effects if effect.ref in refs or effect.who in people)
    return [effect for effect in mine if effect.field == name or effect.op == "restored"]


def nothing_lost(case: Case) -> Iterator[Violation]:
    """I2: a value that people wrote and the engine overwrote is named by the entry of that very write, with its field and its side."""
    for side, vendor in case.world.vendors.items():
        last: dict[tuple[str, str], Effect] = {}
        for effect in vendor.effects:
            if effect.op == "create":
                last |= {(effect.ref, name): effect._replace(field=name, after=value) for name, value in effect.after.items()}
                continue
            if effect.op == "restored":
                last = _remembered(last, effect.ref)
            if effect.field == "*":
                continue
            before = last.get((effect.ref, effect.field))
            if effect.engine and before is not None and not before.engine and effect.after != before.after:
                told = case.text if case.world.restored_database else _told(case, side, effect)
                missing = [found for found in marks(before) if found not in marks(effect) and found not in told]
                if missing and not unseen(vendor, before, effect):
                    yield Violation(
                        "I2", f"{side} {effect.ref} {effect.field}: {before.after!r} was overwritten by {effect.after!r} ({effect.actor})"
                    )
            last[effect.ref, effect.field] = effect


def _told(case: Case, side: Side, write: Effect) -> str:
    """What the entries of this write say gave way."""
    entries = case.entries_of(write, side)
    return "\n".join(searchable(value) for entry in entries if entry.field == write.field for value in (entry.old, entry.new))


def _remembered(last: dict[tuple[str, str], Effect], ref: str) -> dict[tuple[str, str], Effect]:
    """Without what the vendor itself forgot when it went back to a backup."""
    return {key: edit for key, edit in last.items() if key[0] != ref}


def nothing_buried(case: Case) -> Iterator[Violation]:
    """I2: what people wrote since all was agreed does not go into the archive with its record unless the log has it, or somebody living."""
    living = _living(case.world)
    for side, vendor in case.world.vendors.items():
        last: dict[tuple[str, str], Effect] = {}
        for effect in vendor.effects:
            if effect.engine and effect.op == "archive":
                ignored = {"source", OWN.get(side)} | vendor.buried_blind.get(effect.ref, frozenset())
                mine = [edit for (ref, name), edit in last.items() if ref == effect.ref and name not in ignored]
                for edit in mine:
                    if not edit.engine and any(found not in living for found in marks(edit)) and not unseen(vendor, edit, effect):
                        yield Violation("I2", f"{side} {effect.ref}: {edit.field} {edit.after!r} was buried by {effect.actor}")
            if effect.op in ("restored", "create"):  # a create may bring back what people had archived, and says all of it anew
                last = _remembered(last, effect.ref)
            if effect.field != "*":
                last[effect.ref, effect.field] = effect


def _living(world: World) -> str:
    """What live records and logs say."""
    shown = [searchable(value) for vendor in world.vendors.values() for rec in vendor.live() for value in rec.fields.values() if value]
    return "\n".join([*shown, *world.old_logs, world.log_text()])


def marks(effect: Effect) -> list[str]:
    """By which the values that it left can be found again."""
    if effect.field == "phone":
        return re.findall(r"1555\d{4}", re.sub(r"\D", "", str(effect.after)))
    return MARK.findall(str(effect.after).lower())


def values_of(effects: Iterable[Effect]) -> Iterator[Effect]:
    """One effect a value: births say several, of which an address and consent always travel."""
    for effect in effects:
        if effect.op in ("create", "convert"):
            births = ((name, value) for name, value in effect.after.items() if value and name not in ("email", "consent"))
            yield from (effect._replace(field=name, before=None, after=value) for name, value in births)
        elif effect.field != "*":
            yield effect


def unseen(vendor: Vendor, edit: Effect, write: Effect) -> bool:
    """No look that this vendor allows could have shown the edit before it was overwritten, and none has."""
    if any(_shows(look, edit, write) for look in vendor.looks.get(edit.ref, ())):
        return False
    if vendor.profile.capabilities.recheck == "delta_poll":
        looked_us = vendor.polls[bisect_right(vendor.polls, write.at_us) - 1]
        return edit.shown_us > looked_us or (not vendor.profile.shows_dead and vendor.dead_at(edit.ref, looked_us))
    lied = any(edit.at_us <= lie <= write.at_us for lie in vendor.lies.get(write.ref, ()))
    return vendor.profile.capabilities.recheck == "batch_read" and lied


def _shows(look: tuple[int, Rec, frozenset[str]], edit: Effect, write: Effect) -> bool:
    at_us, rec, hidden = look
    there = rec.life == "live" and edit.field not in hidden and rec.fields.get(edit.field) == edit.after
    return there and edit.at_us <= at_us < write.at_us  # in that very moment: what the write itself left


def nothing_invented(case: Case) -> Iterator[Violation]:
    """I3: whatever the engine writes was shown by the other side before, of this person."""
    same = people_by_address(case.world)
    known: dict[Side, set[tuple[int, str, str]]] = {side: set() for side in SIDES}
    effects = sorted(((e, side) for side, v in case.world.vendors.items() for e in v.effects), key=lambda item: item[0].at_us)
    for effect, side in effects:
        values = effect.after if effect.op in ("create", "convert") else {effect.field: effect.after} if effect.field != "*" else {}
        for name, value in values.items():
            said = {(same(effect.who), name, form) for form in _forms(name, value)} if value else set()
            if effect.engine and value and name != "consent":
                # What stood there stays, and a create may bring an archived record back with all it had.
                own = known[side] if effect.op == "create" else {(same(effect.who), name, form) for form in _forms(name, effect.before)}
                if said - known[other(side)] - own:
                    yield Violation("I3", f"{side} {effect.ref} {name}: {value!r} ({effect.actor}) was never shown of this person across")
            known[side] |= said


def people_by_address(world: World) -> Callable[[int], int]:
    """Who may be one person for us: whoever ever had the same address, or was merged by a vendor."""
    into: dict[int, int] = {}

    def same(who: int) -> int:
        while who in into:
            who = into[who]
        return who

    def join(one: int, two: int) -> None:
        if same(one) != same(two):
            into[same(one)] = same(two)

    at: dict[str, int] = {}
    for vendor in world.vendors.values():
        whose = {effect.ref: effect.who for effect in vendor.effects}
        for effect in vendor.effects:
            shown = effect.after["email"] if effect.op in ("create", "convert") else effect.after if effect.field == "email" else None
            if shown:
                join(effect.who, at.setdefault(address_key(shown), effect.who))
        for rec in vendor:
            if rec.into in whose:
                join(rec.who, whose[rec.into])
    return same


def _forms(name: str, value: Any) -> list[str]:
    """What is compared: the mark in a value, or its plain form."""
    if name == "tags":
        return members(value)
    if name in ("stage", "email"):
        return [str(value).strip().lower()]
    return MARK.findall(searchable(value))
