"""I11: nothing is widened, and the last no stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from syncline.records import Side, other
from tests.simulation.case import Case, pairs
from tests.simulation.vendor import Effect, Rec, Vendor
from tests.simulation.world import Violation

LIVES = {"create": True, "convert": True, "undelete": True, "restore": True, "archive": False, "remove": False, "merge": False}
NEAR_S = 1000
"""A yes so shortly before a no may be told apart from it by nobody."""


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

    What people took back on both sides by hand is gone from both, and was not our doing. So is what a record said and took back while it
    stood alone: before a merge made it this person's, or while its partner was not there.
    """
    refused, agreed, standing = 0, 0, False
    for side, rec in recs.items():
        words, said = case.world.vendors[side].profile.words, _consents(case.world.vendors[side], rec.ref)
        joined_us, far, partner = _joined_us(case.world.vendors[side], rec.ref), case.world.vendors[other(side)], recs[other(side)].ref
        if any(effect.op == "restored" for effect in said):
            return
        for effect, following in zip(said, [*said[1:], None], strict=True):
            alone = following is not None and (following.at_us < joined_us or not _lived(far, partner, following.at_us))
            if effect.actor == "people" and effect.after == words["out"] and not alone and _heard(case, side, effect, following):
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


def _joined_us(vendor: Vendor, ref: str) -> int:
    """When another record was last merged into this one; 0: never."""
    losers = {rec.ref for rec in vendor if rec.into == ref}
    return max((effect.at_us for effect in vendor.effects if effect.op == "merge" and effect.ref in losers), default=0)


def _lived(vendor: Vendor, ref: str, at_us: int) -> bool:
    """Whether the record was alive at that time."""
    lives = [effect.op for effect in vendor.effects if effect.ref == ref and effect.at_us < at_us and effect.op in LIVES]
    return bool(lives) and LIVES[lives[-1]]


def _consents(vendor: Vendor, ref: str) -> list[Effect]:
    """What a record said of consent, in order, its birth too."""
    mine = [effect for effect in vendor.effects if effect.ref == ref]
    born = [effect._replace(after=effect.after["consent"]) for effect in mine if effect.op in ("create", "convert")]
    return [*born, *(effect for effect in mine if effect.field == "consent" or effect.op == "restored")]


def _heard(case: Case, side: Side, said: Effect, following: Effect | None) -> bool:
    """Whether a whole round went by while it stood. Whom an older copy was shown takes it for read until a sweep."""
    until = following.at_us if following is not None else case.world.now_us
    lies = case.world.vendors[side].lies.get(said.ref, ())
    rounds = ((began, ended) for began, ended in case.world.heard if not any(said.at_us <= lie <= ended for lie in lies))
    return any(said.shown_us < began and ended < until for began, ended in rounds)
