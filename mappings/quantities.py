"""Amounts as people write them: `2m`, `1%`, `50`. Used by the schema alone. Every function raises ValueError saying what to write."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from syncline.mapping import Limit

UNIT_US = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def duration_us(written: Any) -> int:
    """`2m` → 120000000."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", str(written))
    if not found:
        raise ValueError(f"write a whole number and a unit, such as 30s, 2m or 1h, not {written!r}")
    return int(found[1]) * UNIT_US[found[2]]


def limit(written: Any) -> Limit:
    """`1%` → a share of the linked contacts, `50` → a count, `unlimited` → no limit."""
    if isinstance(written, Limit):
        return written
    if written == "unlimited":
        return Limit()
    if isinstance(written, int) and not isinstance(written, bool) and written >= 0:
        return Limit(count=written)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(written))
    if not found or float(found[1]) > 100:
        raise ValueError(f"write a share such as 1%, a count such as 50, or unlimited, not {written!r}")
    return Limit(share=float(found[1]) / 100)


def scalar(written: Any) -> str | int | float | bool | None:
    """One plain value; a YAML date becomes its ISO text."""
    if isinstance(written, (dt.date, dt.datetime)):
        return written.isoformat()
    if written is None or isinstance(written, (str, int, float, bool)):
        return written
    raise ValueError("write one plain value here, not a list or a table")
