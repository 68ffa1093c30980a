"""When a run must stop and ask: the totals of a plan against the limits of the mapping, before the first write. Pure; flows call it.

A share is measured against the linked contacts, or against the contacts of the plan itself while there are none. However small the data,
a share never stops `FLOOR` changes or fewer: one per cent of forty contacts is not a limit anybody meant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from syncline.mapping import Limit

FLOOR = 5
ROUNDING = 1e-9
"""0.29 * 100 is 28.999…: a share written in per cent means the whole number."""

WEIGHED: Mapping[str, str] = {
    "deletes": "archives",
    "blanks": "blanks",
    "unsubscribes": "unsubscribes",
    "overwrites": "overwrites",
}
"""Limit in the mapping → total of the plan."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One limit that a plan would exceed. `planned` and `allowed` are numbers of contacts or values, as the limit counts them."""

    limit: str
    planned: int
    allowed: int

    def __str__(self) -> str:
        return f"{self.planned} {self.limit} planned, {self.allowed} allowed"


def weigh(totals: Mapping[str, int], limits: Mapping[str, Limit], linked: int) -> tuple[Trip, ...]:
    """The limits this plan would exceed; () when it may go ahead. `linked`: contacts linked before the plan."""
    base = max(linked, totals.get("links", 0) + totals.get("creates", 0))
    trips = []
    for name, limit in limits.items():
        planned, allowed = totals.get(WEIGHED[name], 0), _allowed(limit, base)
        if allowed is not None and planned > allowed:
            trips.append(Trip(name, planned, allowed))
    return tuple(trips)


def _allowed(limit: Limit, base: int) -> int | None:
    bounds = []
    if limit.count is not None:
        bounds.append(limit.count)
    if limit.share is not None:
        bounds.append(max(FLOOR, math.floor(limit.share * base + ROUNDING)))
    return min(bounds) if bounds else None


def emptied(live_before: int, listed: int) -> bool:
    """Whether a full listing shows a side as empty that was not: a lost permission or a broken answer, never a mass delete."""
    return live_before > 0 and listed == 0
