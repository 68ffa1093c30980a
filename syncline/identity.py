"""Which records are one person. Links win; keys are asked only for records without a link; two possible answers are no answer.

`match` judges one group: all live records of both sides that share one match key. The store builds the groups set-wise.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from syncline.records import MARKETING, SIDES, Side, Value, is_blank, other


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live record under one key. `contact_id`: its contact, None without a link. `partner`: its contact has a live record across.

    `unborn`: its contact's record across is still to be made.
    """

    side: Side
    ref: str
    contact_id: int | None = None
    partner: bool = False
    unborn: bool = False


@dataclass(frozen=True, slots=True)
class Paired:
    """These two records are one person. `contact_id`: the existing contact that takes the new record in, None for a fresh one."""

    crm_ref: str
    marketing_ref: str
    contact_id: int | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """These records wait: more than one could be this person."""

    refs: tuple[tuple[Side, str], ...]
    reason: str


def match(group: tuple[Candidate, ...]) -> Paired | Ambiguous | None:
    """One unlinked record a side pairs; an unlinked one joins a contact whose own record across is missing; anything else waits.

    With it waits a contact whose record across is not made yet: one of those who wait there may be it.
    """
    free: dict[Side, list[Candidate]] = {side: [c for c in group if c.side == side and c.contact_id is None] for side in SIDES}
    taken: dict[Side, list[Candidate]] = {side: [c for c in group if c.side == side and c.contact_id is not None] for side in SIDES}
    loose = tuple((c.side, c.ref) for side in SIDES for c in free[side])
    if not loose:
        return None
    waits = loose + tuple((c.side, c.ref) for side in SIDES for c in taken[side] if c.unborn and free[other(side)])
    if any(len(free[side]) > 1 for side in SIDES):
        return Ambiguous(waits, "several records of one side share this key")
    if len(loose) == 2:
        if any(taken.values()):
            return Ambiguous(waits, "another contact already owns this key")
        return Paired(free["crm"][0].ref, free["marketing"][0].ref)
    side, ref = loose[0]
    if taken[side]:
        return Ambiguous(waits, "another contact already owns this key")
    owners = taken[other(side)]
    if not owners:
        return None
    if len(owners) > 1 or owners[0].partner:
        return Ambiguous(waits, "another contact already owns this key")
    refs = (owners[0].ref, ref) if side == MARKETING else (ref, owners[0].ref)
    return Paired(*refs, contact_id=owners[0].contact_id)


def address_key(value: Value) -> str | None:
    """An e-mail address as it is compared: NFC, trimmed, lower-cased, the domain in ASCII form. Look-alike letters stay different.

    Lower-cased, not case folded: folding makes `ß` the same as `ss`, and those are two addresses.
    """
    if not isinstance(value, str) or is_blank(value.strip()):
        return None
    text = unicodedata.normalize("NFC", value.strip()).lower()
    local, at, domain = text.rpartition("@")
    return local + at + ".".join(_ascii_label(label) for label in domain.split(".")) if at else text


def _ascii_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def text_key(value: Value) -> str | None:
    """Any other key as it is compared: NFC, trimmed, case folded; None when blank."""
    if not isinstance(value, str) or is_blank(value.strip()):
        return None
    return unicodedata.normalize("NFC", value.strip()).casefold()
