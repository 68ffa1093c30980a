"""I11: nothing is widened, and the last no stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncline.records import Side, other
from tests.simulation.case import Case, line, pairs
from tests.simulation.vendor import Effect, Rec, Vendor
from tests.simulation.world import Violation

LIVES = {"create": True, "convert": True, "undelete": True, "restore": True, "archive": False, "remove": False, "merge": False}
NEAR_S = 130
"""A yes so shortly before a no may be told apart from it by nobody: the mapping allows the clocks two minutes."""


def never_widened(case: Case) -> Iterator[Violation]:
    """I11: no write subscribes anybody, or takes a no back that nobody took back with proof; and nobody's last word, a no, is forgotten."""
    for side, vendor in case.world.vendors.items():
        yield from _widened(case, side, vendor)
    for crm, marketing in pairs(case):
        yield from _last_word(case, {"crm": crm, "marketing": marketing})


def _widened(case: Case, side: Side, vendor: Vendor) -> Iterator[Violation]:
    """Births and restores say consent too. What a vendor's backup left is not known."""
    words, far = vendor.profile.words, case.world.vendors[other(side)]
    shown: dict[str, Any] = {}
    refused_us: dict[str, int] = {}
    for effect in vendor.effects:
        now = effect.after.get("consent") if isinstance(effect.after, dict) else effect.after if effect.field == "consent" else None
        before = shown.pop(effect.ref, None) if now is not None or effect.op == "restored" else None
        if now is None:
            continue
        went_back = effect.op == "restore" and before is None and (effect.ref, repr(now)) in vendor.ever["consent"]
        proved = any(who in _people(case, side, effect) and at_us <= effect.at_us for who, at_us in far.proofs)
        if effect.engine and effect.op != "archive" and now == words.get("in") and before != now and not went_back and not proved:
            yield Violation("I11", f"{side} {effect.ref}: subscribed by {effect.actor}")
        if effect.engine and before == words["out"] and now != before:
            proofs = [at_us for who, at_us in far.proofs if who == effect.who and at_us <= effect.at_us]
            if max(proofs, default=0) <= refused_us.get(effect.ref, 0) - NEAR_S * 1_000_000:
                yield Violation("I11", f"{side} {effect.ref}: {effect.actor} took the no back, and nobody proved a yes since")
        shown[effect.ref] = now
        if now == words["out"] != before:
            refused_us[effect.ref] = effect.at_us


def _people(case: Case, side: Side, write: Effect) -> set[int]:
    """Whose record was written to, and whom a vendor's merge has made one with them."""
    contact = case.contact.get((side, write.ref), (None, ""))[0]
    refs = {key for key, mine in case.contact.items() if contact is not None and mine[0] == contact}
    return {write.who, *(e.who for at, vendor in case.world.vendors.items() for e in vendor.effects if (at, e.ref) in refs)}


def _last_word(case: Case, recs: Mapping[Side, Rec]) -> Iterator[Violation]:
    """The newest no that a round could hear, unless the person agreed again, with proof, since shortly before it.

    A no that repeats what was heard before it, whatever was said between two rounds, is that one: no time tells of another.
    What people took back on both sides by hand is gone from both, and was not our doing. So is what a record said and took back while it
    stood alone: before it was ever linked, or while its partner was not there, or not yet when a round last looked. After a vendor's backup
    only what was said since counts.
    """
    said = {side: _consents(case.world.vendors[side], rec) for side, rec in recs.items()}
    restored_us = max((effect.at_us for effects in said.values() for effect in effects if effect.op == "restored"), default=0)
    refused, agreed, standing = 0, 0, False
    for side, rec in recs.items():
        vendor, far = case.world.vendors[side], case.world.vendors[other(side)]
        joined_us, partners = _joined_us(case, side, rec, recs[other(side)]), [one.ref for one in line(far, recs[other(side)])]
        words, mine = vendor.profile.words, [effect for effect in said[side] if effect.at_us > restored_us]
        spoken = [effect for effect in mine if effect.actor == "people"]
        heard = None
        for effect, following in zip(mine, [*mine[1:], None], strict=False):
            until_us = following.at_us if following is not None else 0
            looked_us = max((began for began, ended in case.world.heard if ended < until_us), default=0)
            there = all(any(_lived(far, ref, at_us) for ref in partners) for at_us in (looked_us, until_us))
            alone = until_us and (until_us < joined_us or not there)
            if not (effect.engine or _heard(case, side, effect, following)):
                continue
            if effect.actor == "people" and effect.after == words["out"] != heard and not alone:
                refused = max(refused, effect.at_us)
            heard = effect.after
        agreed = max([agreed, *(at_us for who, at_us in vendor.proofs if who == rec.who)])
        standing = standing or not spoken or spoken[-1].after == words["out"] or spoken[-1].at_us < refused
    if not refused or not standing or agreed > refused - NEAR_S * 1_000_000 or case.refused(recs):
        return
    for side, rec in recs.items():
        if rec.fields["consent"] != case.world.vendors[side].profile.words["out"]:
            yield Violation("I11", f"{side} {rec.ref} (person {rec.who}) said no last, and shows {rec.fields['consent']!r}")


def _joined_us(case: Case, side: Side, rec: Rec, across: Rec) -> int:
    """When the record was linked: first, or of somebody who got another's partner by a merge, last."""
    since = min if rec.who == across.who else max
    return since((at_us for at_us, ref in case.linked(side) if ref == rec.ref), default=0)


def _lived(vendor: Vendor, ref: str, at_us: int) -> bool:
    """Whether the record was alive at that time."""
    lives = [effect.op for effect in vendor.effects if effect.ref == ref and effect.at_us < at_us and effect.op in LIVES]
    return bool(lives) and LIVES[lives[-1]]


def _consents(vendor: Vendor, rec: Rec) -> list[Effect]:
    """What a person's record said of consent, in order, its birth too, also under older ids."""
    older = [rec]
    for one in older:
        older += [each for each in vendor if each.life == "merged" and each.into == one.ref and each.who == rec.who]
    refs = {one.ref for one in older}
    mine = [effect for effect in vendor.effects if effect.ref in refs]
    born = [effect._replace(after=effect.after["consent"]) for effect in mine if effect.op in ("create", "convert")]
    spoken = [*born, *(effect for effect in mine if effect.field == "consent" or effect.op == "restored")]
    return sorted(spoken, key=lambda effect: effect.at_us)


def _heard(case: Case, side: Side, said: Effect, following: Effect | None) -> bool:
    """Whether a whole round went by while it stood. Whom an older copy was shown takes it for read until a sweep."""
    until = following.at_us if following is not None else case.world.now_us
    lies = case.world.vendors[side].lies.get(said.ref, ())
    rounds = ((began, ended) for began, ended in case.world.heard if not any(said.at_us <= lie <= ended for lie in lies))
    return any(said.shown_us < began and ended < until and not _blind(case, side, said, ended) for began, ended in rounds)


def _blind(case: Case, side: Side, said: Effect, until_us: int) -> bool:
    """Whether the last look was without a permission for consent. What has not changed since is not shown again."""
    looks = [hidden for at_us, _, hidden in case.world.vendors[side].looks.get(said.ref, ()) if said.at_us <= at_us <= until_us]
    return bool(looks) and "consent" in looks[-1]
