"""Value tables: which native values of a side mean which canonical one. Written by admins, read by `transforms.choices` and `.consent`.

Two ways to write one. By meaning, crm first, a list where several natives mean the same (the first is the one written):

    {lead: [[lead, subscriber], LEAD], customer: [customer, CUST]}

or by side, from native to meaning:

    {crm: {lead: lead, subscriber: lead}, marketing: {LEAD: lead}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.quantities import scalar
from mappings.transforms.native import key
from syncline.records import CRM, MARKETING, SIDES, Side

Pairs = tuple[tuple[Any, str], ...]


@dataclass(frozen=True, slots=True)
class ValueTable:
    """(native, canonical) pairs a side, in the order written: that order says which native is written."""

    crm: Pairs
    marketing: Pairs

    def of(self, side: Side) -> Pairs:
        return self.crm if side == CRM else self.marketing

    def meanings(self) -> tuple[str, ...]:
        """Every canonical value, once, in the order written."""
        return tuple(dict.fromkeys(canonical for side in SIDES for _, canonical in self.of(side)))

    def plain(self) -> dict[str, dict[str, list[Any]]]:
        """Side → canonical → natives in order: what the table means, without the order of its keys."""
        out: dict[str, dict[str, list[Any]]] = {side: {} for side in SIDES}
        for side in SIDES:
            for native, canonical in self.of(side):
                out[side].setdefault(canonical, []).append(native)
        return out


def by_side(written: Any) -> ValueTable:
    """The form `{crm: {native: canonical}, marketing: {…}}`. Raises ValueError."""
    if isinstance(written, ValueTable):
        return written
    if not isinstance(written, Mapping) or not written or not set(written) <= set(SIDES):
        raise ValueError("write {crm: {native: meaning, …}, marketing: {native: meaning, …}}")
    tables = [written.get(side) or {} for side in SIDES]
    if not all(isinstance(table, Mapping) for table in tables):
        raise ValueError("write a table from native value to meaning for each side")
    return _checked(*(tuple((scalar(native), key(scalar(meaning))) for native, meaning in table.items()) for table in tables))


def by_meaning_or_side(written: Any) -> ValueTable:
    """Either form. Raises ValueError."""
    if isinstance(written, ValueTable):
        return written
    if not isinstance(written, Mapping) or not written:
        raise ValueError("write {meaning: [crm value, marketing value], …}")
    if set(written) <= set(SIDES) and all(isinstance(table, Mapping) for table in written.values()):
        return by_side(written)
    crm: list[tuple[Any, str]] = []
    marketing: list[tuple[Any, str]] = []
    for meaning, natives in written.items():
        if not isinstance(natives, list) or len(natives) != len(SIDES):
            raise ValueError(f"{meaning}: write [crm value, marketing value]")
        crm += _natives(natives[0], meaning)
        marketing += _natives(natives[1], meaning)
    return _checked(tuple(crm), tuple(marketing))


def _natives(written: Any, meaning: Any) -> list[tuple[Any, str]]:
    each = written if isinstance(written, list) else [written]
    return [(scalar(native), key(meaning)) for native in each]


def _checked(crm: Pairs, marketing: Pairs) -> ValueTable:
    for side, pairs in ((CRM, crm), (MARKETING, marketing)):
        seen: set[str] = set()
        for native, meaning in pairs:
            if not meaning:
                raise ValueError(f"{native!r} of {side} has no meaning: name one")
            if key(native) in seen:
                raise ValueError(f"{native!r} of {side} is listed twice: one native value has one meaning")
            seen.add(key(native))
    return ValueTable(crm, marketing)
