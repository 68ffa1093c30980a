"""Judges a settled world by what the vendors truly hold and by every write that changed it.

The engine is asked for two things alone: who it says is one person, and what it says waits; its log must say the same, and is read for what
became of values that are nowhere any more.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from syncline.records import SIDES, Side, other
from tests.simulation.habits import dialled
from tests.simulation.mapping import CLEARS, LIMITS
from tests.simulation.vendor import Effect, Rec, Vendor
from tests.simulation.words import address_key, members, searchable
from tests.simulation.world import Violation, World

MARK = re.compile(r"q\d{4}|1555\d{4}|19[5-9]\d-\d\d-\d\d")
NEAR_S = 1000
JUST_S = 5
"""A poll cannot show what came to its index so shortly before a write."""

TWO_WAY = ("email", "first", "last", "city", "note", "birthday", "phone", "stage", "tags")
_LINKS = sa.text(
    "SELECT r.side, r.ref, r.contact_id, c.state FROM record AS r JOIN contact AS c ON c.sync_id = r.sync_id AND c.id = r.contact_id"
)


@dataclass(slots=True)
class Case:
    """What the judge has before it. `contact[side, ref]`: (contact, its state); `held`: (contact or record, field) that waits."""

    world: World
    contact: dict[tuple[Side, str], tuple[int, str]] = field(default_factory=dict)
    held: set[tuple[Any, str]] = field(default_factory=set)
    text: str = ""

    def waits(self, side: Side, rec: Rec, *fields: str) -> bool:
        owner = self.contact.get((side, rec.ref), ((side, rec.ref), ""))[0]
        return any((who, name) in self.held for name in ("", *fields) for who in (owner, (side, rec.ref)))


SWEPT = {"permission lost", "vendor restored", "part", "empty", "database restored", "stale"}
"""Faults after which only a sweep can know everything."""


def heard_without_a_sweep(world: World) -> None:
    """I18: polls alone have shown every change by now: no cursor went past one."""
    if not SWEPT & world.injected.keys():
        world.violations += [Violation("I18", violation.text) for violation in converged(case_of(world))]


def cheap_when_quiet(world: World) -> None:
    """I7: where nothing happened, a round polls each side, and that is all."""
    for (side, op), count in world.calls.items():
        if op != "describe" and (op != "pull" or count > 2):
            world.broken("I7", f"{count} {op} calls to {side} in a quiet round")


Check = Callable[[Case], Iterator[Violation]]


def judge(world: World) -> None:
    """Every invariant, on the settled world."""
    case = case_of(world)
    world.violations += [Violation("I14", problem) for problem in world.engine().sync.verify().problems]
    for check in CHECKS:
        world.violations += list(check(case))


def case_of(world: World) -> Case:
    """What there is to be judged by now."""
    case = Case(world, text=_text(world))
    with world.engine().store.database.read() as connection:
        for row in connection.execute(_LINKS):
            case.contact[SIDES[row.side], row.ref] = (row.contact_id, row.state)
    case.held = {(hold.owner, hold.field) for hold in world.engine().sync.holds()}
    return case


def _text(world: World) -> str:
    """All that is true anywhere, and all that the log says, lost logs too."""
    shown = [searchable(value) for vendor in world.vendors.values() for rec in vendor for value in rec.fields.values() if value]
    return "\n".join([*shown, *world.old_logs, world.log_text()])


# ---------------------------------------------------------------- I1


def converged(case: Case) -> Iterator[Violation]:
    """I1: linked records mean the same, or the difference waits with a reason, or is a blank that says nothing."""
    for crm, marketing in pairs(case):
        for name in (*TWO_WAY, "company", "consent"):
            left, right = crm.fields[name], marketing.fields[name]
            if not _agree(case, name, left, right) and not _explained(case, name, crm, marketing):
                yield Violation("I1", f"{crm.ref} and {marketing.ref} (person {crm.who}): {name} {left!r} and {right!r}")


def pairs(case: Case) -> Iterator[tuple[Rec, Rec]]:
    """Live records that the engine says are one active contact."""
    by_contact: dict[int, dict[Side, Rec]] = defaultdict(dict)
    for side, vendor in case.world.vendors.items():
        for rec in vendor.live():
            contact, state = case.contact.get((side, rec.ref), (None, ""))
            if contact is not None and state == "active":
                by_contact[contact][side] = rec
    yield from ((found["crm"], found["marketing"]) for found in by_contact.values() if len(found) == 2)


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
    if case.waits("crm", crm, name) or case.waits("marketing", marketing, name):
        return True
    blank = [rec for rec in (crm, marketing) if not rec.fields[name]]
    return bool(blank) and name not in CLEARS and name != "consent" and any(_blanked(case, rec, name) for rec in blank)


def _blanked(case: Case, rec: Rec, name: str) -> bool:
    """Somebody emptied it, or the vendor's backup did: under this mapping, that says nothing."""
    side = next(side for side, vendor in case.world.vendors.items() if rec.ref in vendor.records)
    effects = [effect for effect in case.world.vendors[side].effects if effect.who == rec.who]
    return any(effect.op == "restored" or (effect.field == name and not effect.after and effect.before) for effect in effects)


# ---------------------------------------------------------------- I2


def nothing_lost(case: Case) -> Iterator[Violation]:
    """I2: a value that people wrote and the engine overwrote is in a store, or in the log."""
    for side, vendor in case.world.vendors.items():
        last: dict[tuple[str, str], Effect] = {}
        for effect in vendor.effects:
            if effect.op == "create":
                last |= {(effect.ref, name): effect._replace(field=name, after=value) for name, value in effect.after.items()}
                continue
            if effect.op == "restored":  # what the vendor itself forgot
                last = {key: edit for key, edit in last.items() if key[0] != effect.ref}
            if effect.field == "*":
                continue
            before = last.get((effect.ref, effect.field))
            if effect.engine and before is not None and not before.engine and effect.after != before.after:
                missing = [found for found in _marks(before) if found not in case.text]
                if missing and not _unseen(vendor, before, effect):
                    yield Violation(
                        "I2", f"{side} {effect.ref} {effect.field}: {before.after!r} was overwritten by {effect.after!r} ({effect.actor})"
                    )
            last[effect.ref, effect.field] = effect


def _marks(effect: Effect) -> list[str]:
    if effect.field == "phone":
        return re.findall(r"1555\d{4}", re.sub(r"\D", "", str(effect.after)))
    return MARK.findall(str(effect.after).lower())


def _unseen(vendor: Vendor, edit: Effect, write: Effect) -> bool:
    """No look that this vendor allows could have shown the edit before it was overwritten."""
    if vendor.profile.capabilities.recheck == "delta_poll":
        return edit.shown_us > write.at_us - JUST_S * 1_000_000
    lie = vendor.lies.get(write.ref, 0)
    return vendor.profile.capabilities.recheck == "batch_read" and edit.at_us <= lie <= write.at_us


# ---------------------------------------------------------------- I3


def nothing_invented(case: Case) -> Iterator[Violation]:
    """I3: whatever the engine writes was shown by the other side before."""
    known: dict[Side, dict[str, set[Any]]] = {side: defaultdict(set) for side in SIDES}
    effects = sorted(((e, side) for side, v in case.world.vendors.items() for e in v.effects), key=lambda item: item[0].at_us)
    for effect, side in effects:
        values = effect.after if effect.op in ("create", "convert") else {effect.field: effect.after} if effect.field != "*" else {}
        for name, value in values.items():
            if effect.engine and value and name not in ("consent", "email"):
                source = known[other(side)][name] | known[side][name]
                strange = set(_forms(name, value)) - source
                if strange:
                    yield Violation("I3", f"{side} {effect.ref} {name}: {value!r} ({effect.actor}) was never shown across")
            known[side][name] |= set(_forms(name, value)) if value else set()


def _forms(name: str, value: Any) -> list[str]:
    """What is compared: the mark in a value, or its plain form."""
    if name == "tags":
        return members(value)
    if name in ("stage",):
        return [str(value).lower()]
    return MARK.findall(searchable(value))


# ---------------------------------------------------------------- I4, I9, I10


def nobody_twice(case: Case) -> Iterator[Violation]:
    """I10: a contact has one live record a side at most, and a record has one contact."""
    owners: Counter[tuple[int, Side]] = Counter()
    for side, vendor in case.world.vendors.items():
        for rec in vendor.live():
            contact, state = case.contact.get((side, rec.ref), (None, ""))
            if contact is not None and state == "active":
                owners[contact, side] += 1
    for (contact, side), count in owners.items():
        if count > 1:
            yield Violation("I10", f"contact {contact} has {count} live records in {side}")


def everybody_across(case: Case) -> Iterator[Violation]:
    """Coverage: a live record with an address of its own has a live partner, unless it waits or its partner was taken away by people."""
    for side, vendor in case.world.vendors.items():
        taken = Counter(address_key(rec.fields["email"]) for rec in vendor.live())
        for rec in vendor.live():
            contact, state = case.contact.get((side, rec.ref), (None, ""))
            partner = any(
                mine[0] == contact and (far := case.world.vendors[other(side)].get(ref)) is not None and far.life == "live"
                for (s, ref), mine in case.contact.items()
                if s == other(side)
            )
            if (contact is not None and partner) or not rec.fields["email"] or taken[address_key(rec.fields["email"])] > 1:
                continue
            if case.waits(side, rec, "email") or (state in ("unlinked", "deleted", "merged") and _taken_away(case, side, rec)):
                continue
            yield Violation("I1", f"{side} {rec.ref} (person {rec.who}) has nobody across; contact {contact} is {state or 'not there'}")


def _taken_away(case: Case, side: Side, rec: Rec) -> bool:
    """The last that people or the vendor did to the lives of this contact's records across was to remove one."""
    ours = case.contact[side, rec.ref]
    refs = {ref for (s, ref), contact in case.contact.items() if contact == ours and s != side}
    acts = ("archive", "remove", "merge", "restored", "undelete")
    effects = [e for e in case.world.vendors[other(side)].effects if e.ref in refs and e.op in acts and not e.engine]
    return ours[1] == "merged" or bool(effects and effects[-1].op != "undelete")


def policy_done(case: Case) -> Iterator[Violation]:
    """I4: whom people removed where the mapping says so is not left alive across, unless somebody edited it, or it waits."""
    rules = case.world.engine().mapping.policy.delete_seen_in
    for side, vendor in case.world.vendors.items():
        for rec in vendor.live():
            contact, state = case.contact.get((side, rec.ref), (None, ""))
            if state == "deleted" and rules[other(side)] == "archive" and not case.waits(side, rec) and not _came_back(vendor, rec):
                yield Violation("I4", f"{side} {rec.ref} (person {rec.who}) lives on in contact {contact}, which is deleted")


def _came_back(vendor: Vendor, rec: Rec) -> bool:
    """People or a backup brought it back after it was archived."""
    return any(effect.ref == rec.ref and effect.op in ("undelete", "restored") for effect in vendor.effects)


def nobody_back(case: Case) -> Iterator[Violation]:
    """I4: whom people removed is not made again, unless people made the person anew, or brought a record back."""
    gone: dict[tuple[Side, int], str] = {}
    anew: dict[tuple[Side, int], int] = {}
    effects = sorted(((e, side) for side, v in case.world.vendors.items() for e in v.effects), key=lambda item: item[0].at_us)
    for effect, side in effects:
        key = (side, effect.who)
        if effect.op in ("archive", "remove") and effect.actor == "people":
            made = anew.get((other(side), effect.who))  # and no round has heard of that yet: two acts in no order that shows
            heard = made is None or any(made < began and ended < effect.at_us for began, ended in case.world.heard)
            gone[key] = effect.ref if heard else ""
        if effect.actor == "people" and effect.op == "create":
            anew[key] = effect.at_us
        if effect.actor in ("people", "vendor") and effect.op in ("create", "undelete", "restored", "convert"):
            gone.pop(key, None)
            gone.pop((other(side), effect.who), None)
        again = effect.engine and effect.op in ("create", "restore") and effect.who >= 0 and gone.get(key)
        if again and not case.world.restored_database and _same_contact(case, side, gone[key], effect):
            yield Violation("I4", f"{side} {effect.ref}: person {effect.who} was removed by people and made again by {effect.actor}")


def _same_contact(case: Case, side: Side, removed: str, made: Effect) -> bool:
    """Whether what was made is of the contact that lost its record: another record of that person may have waited as a double."""
    contact, _ = case.contact.get((side, removed), (None, ""))
    return contact is None or contact == int(made.actor.split("-")[1])


# ---------------------------------------------------------------- I11


def never_widened(case: Case) -> Iterator[Violation]:
    """I11: no write subscribes anybody who exists, and nobody's last word, a no, is forgotten."""
    for side, vendor in case.world.vendors.items():
        words = vendor.profile.words
        for effect in vendor.effects:
            widest = "in" in words and effect.after == words["in"]
            if effect.engine and effect.field == "consent" and widest and effect.op != "restore" and effect.before != effect.after:
                yield Violation("I11", f"{side} {effect.ref}: subscribed by {effect.actor}")
    for crm, marketing in pairs(case):
        yield from _last_word(case, {"crm": crm, "marketing": marketing})


def _last_word(case: Case, recs: Mapping[Side, Rec]) -> Iterator[Violation]:
    """The newest no that a round could hear, unless the person agreed again, with proof, since shortly before it.

    What people took back on both sides by hand is gone from both, and was not our doing.
    """
    refused, agreed, standing = 0, 0, False
    for side, rec in recs.items():
        words, said = case.world.vendors[side].profile.words, _consents(case.world.vendors[side], rec.ref)
        if any(effect.op == "restored" for effect in said):
            return
        for effect, following in zip(said, [*said[1:], None], strict=True):
            if effect.actor == "people" and effect.after == words["out"] and _heard(case, effect, following):
                refused = max(refused, effect.at_us)
            if effect.actor == "people" and "in" in words and effect.after == words["in"]:
                agreed = max(agreed, effect.at_us)
        spoken = [effect for effect in said if effect.actor == "people"]
        standing = standing or not spoken or spoken[-1].after == words["out"] or spoken[-1].at_us < refused
    if (
        not refused
        or not standing
        or agreed > refused - NEAR_S * 1_000_000
        or any(case.waits(side, rec, "consent") for side, rec in recs.items())
    ):
        return
    for side, rec in recs.items():
        if rec.fields["consent"] != case.world.vendors[side].profile.words["out"]:
            yield Violation("I11", f"{side} {rec.ref} (person {rec.who}) said no last, and shows {rec.fields['consent']!r}")


def _consents(vendor: Vendor, ref: str) -> list[Effect]:
    """What a record said of consent, in order, its birth too."""
    mine = [effect for effect in vendor.effects if effect.ref == ref]
    born = [effect._replace(after=effect.after["consent"]) for effect in mine if effect.op in ("create", "convert")]
    return [*born, *(effect for effect in mine if effect.field == "consent" or effect.op == "restored")]


def _heard(case: Case, said: Effect, following: Effect | None) -> bool:
    """Whether a whole round went by while it stood."""
    until = following.at_us if following is not None else case.world.now_us
    return any(said.shown_us < began and ended < until for began, ended in case.world.heard)


# ---------------------------------------------------------------- I14, I20, I21


def all_noted(case: Case) -> Iterator[Violation]:
    """I14: every write that took effect has its entry: this contact, this run, that side."""
    if case.world.restored_database:
        return
    noted = {(str(row.run_id), str(row.entry.contact_id), side) for row in case.world.engine().sync.entries() for side in row.entry.to}
    for side, vendor in case.world.vendors.items():
        for effect in vendor.effects:
            if effect.engine:
                run_id, contact_id, _, _ = effect.actor.split("-")[:4]
                if (run_id, contact_id, side) not in noted:
                    yield Violation("I14", f"{side} {effect.ref} {effect.field}: {effect.actor} is in no entry")


def honest_shadows(case: Case) -> Iterator[Violation]:
    """I21: what counts as agreed with a side, that side has truly shown."""
    query = sa.text("SELECT side, ref, CASE shadow WHEN '=' THEN seen ELSE shadow END AS base FROM record WHERE shadow IS NOT NULL")
    with case.world.engine().store.database.read() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        ever = case.world.vendors[SIDES[row.side]].ever
        for name, value in json.loads(row.base).items():
            if repr(value) not in ever[name]:
                yield Violation("I21", f"{row.ref} {name}: {value!r} counts as agreed and was never shown")


def within_limits(case: Case) -> Iterator[Violation]:
    """I20: no run removes, blanks or opts out more than the mapping allows, unless somebody said yes."""
    done: Counter[tuple[str, str]] = Counter()
    for vendor in case.world.vendors.values():
        for effect in vendor.effects:
            if effect.engine and (kind := _weighed(vendor, effect)):
                done[effect.actor.split("-")[0], kind] += 1
    approved = {str(run) for run in case.world.approved}
    for (run, kind), count in done.items():
        if count > LIMITS[kind] and run not in approved and not case.world.restored_database:
            yield Violation("I20", f"run {run}: {count} {kind}, {LIMITS[kind]} allowed")


def _weighed(vendor: Vendor, effect: Effect) -> str:
    if effect.op == "archive":
        return "deletes"
    if effect.field == "consent" and effect.after == vendor.profile.words["out"] and effect.op == "consent":
        return "unsubscribes"
    return "blanks" if effect.field != "*" and effect.before and not effect.after else ""


def no_empty_write(case: Case) -> Iterator[Violation]:
    """I17: a write changes something, where the vendor takes values as they come: nobody can know what others make of them."""
    for side, vendor in case.world.vendors.items():
        writes: dict[tuple[str, int], bool] = {}
        for effect in vendor.effects:
            if effect.engine and effect.field != "*":
                key = (effect.actor, effect.at_us)
                bent = vendor.habits.get(effect.field, "none") != "none"
                writes[key] = writes.get(key, False) or bent or effect.before != effect.after
        for (actor, _), changed in writes.items():
            if not changed and not case.world.injected:
                yield Violation("I17", f"{side}: {actor} changed nothing")


CHECKS: tuple[Check, ...] = (
    converged, nothing_lost, nothing_invented, nobody_twice, everybody_across, policy_done, nobody_back, never_widened, all_noted,
    honest_shadows, within_limits, no_empty_write,
)  # fmt: skip
