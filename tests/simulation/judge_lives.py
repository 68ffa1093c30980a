"""I4, I10 and who belongs across: nobody comes back, nobody is left, nobody stands twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from syncline.records import SIDES, Side, other
from tests.simulation.case import Case, line, pairs
from tests.simulation.judge_values import OWN, marks, people_by_address, values_of
from tests.simulation.vendor import Effect, Rec, Vendor
from tests.simulation.words import address_key, members
from tests.simulation.world import Violation


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


def no_strangers(case: Case) -> Iterator[Violation]:
    """I10: who is linked once had an address in common, or was merged into somebody who had."""
    same = people_by_address(case.world)
    for crm, marketing in pairs(case):
        if same(crm.who) != same(marketing.who):
            yield Violation("I10", f"{crm.ref} (person {crm.who}) and {marketing.ref} (person {marketing.who}) have nothing in common")


def everybody_across(case: Case) -> Iterator[Violation]:
    """Coverage: a live record has a live partner, unless it waits or its partner was taken away by people."""
    for side, vendor in case.world.vendors.items():
        for rec in vendor.live():
            contact, state = case.contact.get((side, rec.ref), (None, ""))
            partner = any(
                mine[0] == contact and (far := case.world.vendors[other(side)].get(ref)) is not None and far.life == "live"
                for (s, ref), mine in case.contact.items()
                if s == other(side)
            )
            if contact is not None and partner:
                continue
            if case.waits(side, rec, "email") or (state in ("unlinked", "deleted", "merged") and _taken_away(case, side, rec)):
                continue
            yield Violation("I1", f"{side} {rec.ref} (person {rec.who}) has nobody across; contact {contact} is {state or 'not there'}")


def _taken_away(case: Case, side: Side, rec: Rec) -> bool:
    """The last that people or the vendor did to the lives of this contact's records across was to remove one."""
    ours = case.contact[side, rec.ref]
    refs = {ref for (s, ref), contact in case.contact.items() if contact == ours and s != side}
    whose = set() if refs else {one.who for one in line(case.world.vendors[side], rec)}  # its partner is another contact's by now
    acts = ("archive", "remove", "merge", "restored", "undelete")
    mine = (e for e in case.world.vendors[other(side)].effects if e.ref in refs or e.who in whose)
    forgot = case.world.restored_database  # that we archived it ourselves: then nobody can tell who did
    effects = [e for e in mine if e.op in acts and (forgot or not e.engine)]
    back = bool(effects) and (effects[-1].op == "undelete" or (effects[-1].op == "restored" and effects[-1].after == "live"))
    if ours[1] != "merged":
        return bool(effects) and not back
    lives = [e for e in case.world.vendors[side].effects if e.ref == rec.ref and e.field == "*"]
    gone = any(e.op == "archive" for e in lives)  # and brought back by somebody since: for good
    return gone or _outlived(case, side, ours[0])


def _outlived(case: Case, side: Side, contact: int) -> bool:
    """Whether a record of a merged contact may stay alone: the mapping archives none, and its heir had one here, or nobody is across."""
    into = {row.entry.contact_id: row.entry.new["into"] for row in case.rows if row.entry.kind == "merge"}
    while contact in into:
        contact = into[contact]
    heirs = [(s, case.world.vendors[s].get(ref)) for (s, ref), mine in case.contact.items() if mine[0] == contact]
    living = {s for s, rec in heirs if rec is not None and rec.life == "live"}
    policy = case.world.engine().mapping.policy.delete_seen_in  # which may have been another one at the time of the merge
    archives = policy[other(side)] == "archive" and "mapping edited" not in case.world.injected
    return not archives and (side in [s for s, _ in heirs] or other(side) not in living)


def policy_done(case: Case) -> Iterator[Violation]:
    """I4: whom people removed where the mapping says so is not left alive across, unless somebody edited it, or it waits."""
    rules = case.world.engine().mapping.policy.delete_seen_in
    for side, vendor in case.world.vendors.items():
        for rec in vendor.live():
            contact, state = case.contact.get((side, rec.ref), (None, ""))
            if contact is None or rules[other(side)] != "archive" or case.waits(side, rec):
                continue
            gone = _removed(case, contact, other(side))
            if state == "deleted" and not _came_back(vendor, rec, gone.at_us if gone is not None else 0):
                yield Violation("I4", f"{side} {rec.ref} (person {rec.who}) lives on in contact {contact}, which is deleted")
            told = not (NO_BASE & case.world.injected.keys() or any(entry.kind == "hold" for entry in case.entries_about(contact)))
            if (
                state == "unlinked"
                and told
                and gone is not None
                and not _came_back(vendor, rec, gone.at_us)
                and not _parted(case, contact, gone)
                and not _edited(case, side, rec, gone)
            ):
                yield Violation("I4", f"{side} {rec.ref} (person {rec.who}) lives on in contact {contact}, which is unlinked for no edit")


NO_BASE = {"mapping edited", "database restored", "vendor restored"}
"""After these nobody can tell what was edited."""


def _removed(case: Case, contact: int, side: Side) -> Effect | None:
    """The last that people removed of this contact, if nothing came back after it."""
    refs = {ref for (s, ref), mine in case.contact.items() if s == side and mine[0] == contact}
    lives = [effect for effect in case.world.vendors[side].effects if effect.ref in refs and effect.field == "*"]
    last = lives[-1] if lives else None
    return last if last is not None and last.actor == "people" and last.op in ("archive", "remove") else None


def _came_back(vendor: Vendor, rec: Rec, gone_us: int) -> bool:
    """People or a backup brought it back after its partner was removed, under this id or an older one."""
    refs = {one.ref for one in line(vendor, rec) if one.who == rec.who}
    return any(effect.ref in refs and effect.op in ("undelete", "restored") and effect.at_us > gone_us for effect in vendor.effects)


def _parted(case: Case, contact: int, gone: Effect) -> bool:
    """Whether they had parted before: then what became of the one is nothing to the other."""
    return any(row.entry.contact_id == contact and row.entry.kind == "unlink" and row.at_us < gone.at_us for row in case.rows)


def _edited(case: Case, side: Side, rec: Rec, gone: Effect) -> bool:
    """Whether something that people or a vendor wrote here had not travelled when the partner went. What has no mark may not have.

    What either vendor made of a write of ours, whose answer nobody heard, may be an edit to whoever sees it.
    """
    refs, far = {one.ref for one in line(case.world.vendors[side], rec)}, case.world.vendors[other(side)]
    theirs = list(values_of(e for e in far.effects if e.who == gone.who and e.at_us < gone.at_us))
    ours = [e for e in values_of(e for e in case.world.vendors[side].effects if e.ref in refs) if e.field != OWN.get(side)]
    shown, last = {(e.field, mark): e for e in theirs for mark in marks(e)}, {e.field: e for e in ours}
    own = [e for e in last.values() if not e.engine and e.field != "tags"]
    edited = any(not marks(e) or any(not _travelled(e, shown.get((e.field, mark)), far) for mark in marks(e)) for e in own)
    there = {e.field: e for e in values_of(e for e in far.effects if e.ref == gone.ref and e.at_us < gone.at_us)}
    written = ((case.world.vendors[side], last), (far, there))
    tidied = any(_tidied_unheard(vendor, e) for vendor, values in written for e in values.values() if e.engine)
    edited = edited or any(_seen_in_part(case.world.vendors[side], ref) for ref in refs)
    return (
        edited
        or tidied
        or any(tags != _tags(theirs)[-1] for tags in _tags(ours))
        or any(left(case, side, refs, gone) for left in (_left_over, _untold_no))
    )


def _seen_in_part(vendor: Vendor, ref: str) -> bool:
    """Whether a permission was missing at some look: what was there, and not shown, had not travelled, and may look new when it is."""
    return any(hidden for _, _, hidden in vendor.looks.get(ref, ()))


def _tidied_unheard(vendor: Vendor, write: Effect) -> bool:
    return vendor.habits.get(write.field, "none") != "none" and any(at >= write.at_us for at in vendor.unheard.get(write.ref, ()))


def _tags(effects: list[Effect]) -> list[list[str]]:
    """What these say of tags, since we wrote them last: an edit may have been heard, and taken back since."""
    said: list[list[str]] = [[]]
    for effect in effects:
        if effect.field == "tags":
            said = [*([] if effect.engine else said), sorted(members(effect.after))]
    return said


def _travelled(edit: Effect, shown: Effect | None, far: Vendor) -> bool:
    """Whether the other side showed it, and all of it: there may be nobody to say that it cuts what it is told.

    Nor does anybody know of our own write if we died before its answer, and the record was gone, or hid that field, when we came back.
    """
    looks = far.looks.get(shown.ref, ()) if shown is not None else ()
    if shown is None or (shown.engine and not any(at_us >= shown.at_us and edit.field not in hidden for at_us, _, hidden in looks)):
        return False
    return far.habits.get(edit.field) != "cut" or len(str(shown.after)) >= len(str(edit.after).strip())


def _left_over(case: Case, side: Side, refs: set[str], gone: Effect) -> bool:
    """Whether a create brought an archived record back, with more than the partner ever showed: a value that nobody had agreed on."""
    shown = {
        (e.field, mark) for e in values_of(e for e in case.world.vendors[other(side)].effects if e.ref == gone.ref) for mark in marks(e)
    }
    anew = (e for e in case.world.vendors[side].effects if e.ref in refs and e.engine and e.op == "create" and e.before)
    return any((e.field, mark) not in shown for e in values_of(anew) if e.field != OWN.get(side) for mark in marks(e))


def _untold_no(case: Case, side: Side, refs: set[str], gone: Effect) -> bool:
    """Whether somebody was born here with an opt-out, or brought back with it by a create, of which the partner was never told."""
    here, far = case.world.vendors[side], case.world.vendors[other(side)]
    born = any(e.op in ("create", "convert") and e.after["consent"] == here.profile.words["out"] for e in here.effects if e.ref in refs)
    theirs = (e for e in far.effects if e.ref == gone.ref and e.at_us < gone.at_us)
    said = (e.after["consent"] if e.op in ("create", "convert") else e.after for e in theirs if e.field in ("*", "consent"))
    return born and far.profile.words["out"] not in said


NEVER = (1 << 62, 1 << 62)


def nobody_back(case: Case) -> Iterator[Violation]:
    """I4: whom people removed is not made again, unless people made the person anew, or brought a record back.

    A restored database has not heard of what was removed before; nor of whom we had brought back ourselves: that looks like people's.
    """
    gone: dict[tuple[Side, int], str] = {}
    anew: dict[tuple[Side, int], int] = {}
    lost = iter(case.world.lost)
    saved_us, forgot_us = next(lost, NEVER)
    effects = sorted(((e, side) for side, v in case.world.vendors.items() for e in v.effects), key=lambda item: item[0].at_us)
    for effect, side in effects:
        key = (side, effect.who)
        while effect.at_us > forgot_us:
            ours = {e.who for e, _ in effects if e.engine and e.op in ("create", "restore") and saved_us <= e.at_us <= forgot_us}
            gone, anew = {}, anew | {(side, who): forgot_us for side in SIDES for who in ours}
            saved_us, forgot_us = next(lost, NEVER)
        if effect.op in ("archive", "remove") and effect.actor == "people":
            made = anew.get((other(side), effect.who))  # and no round has heard of that yet: two acts in no order that shows
            heard = made is None or any(made < began and ended < effect.at_us for began, ended in case.world.heard)
            known = case.world.vendors[side].first_shown.get(effect.ref, effect.at_us) < effect.at_us  # else nobody was there for us
            gone[key] = effect.ref if heard and known else ""
        if effect.actor == "people" and effect.op in ("create", "undelete"):
            anew[key] = effect.at_us
        back = effect.op in ("create", "undelete", "convert") or (effect.op == "restored" and effect.after == "live")
        if effect.actor in ("people", "vendor") and back:
            contact = case.contact.get((side, effect.ref), (None, ""))[0]  # of two people that the vendor has merged, it may be the other's
            theirs = {far for far, ref in gone.items() if contact is not None and case.contact.get((far[0], ref), (None, ""))[0] == contact}
            gone = {far: ref for far, ref in gone.items() if far not in theirs and far[1] != effect.who}
        again = effect.engine and effect.op in ("create", "restore") and effect.who >= 0 and gone.get(key)
        if again and _same_contact(case, side, gone[key], effect):
            yield Violation("I4", f"{side} {effect.ref}: person {effect.who} was removed by people and made again by {effect.actor}")


def _same_contact(case: Case, side: Side, removed: str, made: Effect) -> bool:
    """Whether what was made is of the contact that lost its record: another record of that person may have waited as a double.

    Where the vendor brings the removed record back for the double, the log says whose it was.
    """
    entries = (row.entry for row in case.world.engine().sync.entries())
    left = [entry.contact_id for entry in entries if (entry.kind, entry.rule, entry.side, entry.ref) == ("rebind", "create", side, removed)]
    made_for = int(made.actor.split("-")[1])
    contact = left[-1] if left else case.contact.get((side, removed), (None, ""))[0]
    if contact != made_for and contact is not None:
        return False
    if contact is not None and (left or any(ref == removed and at_us < made.at_us for at_us, ref in case.linked(side))):
        return True
    # It was nobody's until then: because of a double on either side, because we lost it, in a database that went back, because a plan that
    # was to link it was never approved, or because it had another address.
    theirs = ({e.ref for e in vendor.effects if e.who == made.who and e.at_us < made.at_us} for vendor in case.world.vendors.values())
    kept_out = case.world.restored_database or any(report.status == "stopped" for report in case.world.reports)
    return not kept_out and all(len(refs) < 2 for refs in theirs) and _address(case, side, removed) == address_key(made.after["email"])


def _address(case: Case, side: Side, ref: str) -> str:
    """The last that this record had."""
    said = (e for e in case.world.vendors[side].effects if e.ref == ref and (e.op in ("create", "convert") or e.field == "email"))
    return address_key([e.after if e.field == "email" else e.after["email"] for e in said][-1])
