"""Dates. A date is a square on the calendar: it has no hour and no zone, and no zone can move it.

Reads `YYYY-MM-DD`, and what HubSpot and others make of a date: midnight UTC, as ISO text or as milliseconds. A time of day that is not
midnight UTC is refused: that field is an instant, and which day it was depends on where (`transform: {<side>: {instant: {zone: …}}}`).
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Any

from mappings.transforms.native import shows_nothing
from syncline.errors import Rejected
from syncline.lens import Step

DAY_MS = 86_400_000
EPOCH = dt.date(1970, 1, 1)
MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)(?:T00:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?)?").fullmatch


def date() -> Step:
    """Both ways raise Rejected."""
    return Step(get=_read, put=lambda value: None if value is None else _iso(value))


def _read(shown: Any) -> str | None:
    if shows_nothing(shown):
        return None
    if isinstance(shown, dt.datetime):
        shown = shown.isoformat()
    if isinstance(shown, dt.date):
        return shown.isoformat()
    return _iso(str(shown).strip()) if not isinstance(shown, bool) else _refuse(shown)


@lru_cache(maxsize=4096)
def _iso(written: str) -> str:
    midnight = MIDNIGHT(written)
    try:
        if midnight:
            return dt.date.fromisoformat(midnight[1]).isoformat()
        days, rest = divmod(int(written), DAY_MS)
        return (EPOCH + dt.timedelta(days=days)).isoformat() if rest == 0 else _refuse(written)
    except (ValueError, OverflowError):
        return _refuse(written)


def _refuse(shown: Any) -> str:
    raise Rejected("not a date (YYYY-MM-DD, or midnight UTC)", detail=str(shown))
