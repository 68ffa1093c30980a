"""The values that people write. Each holds its own mark, the number of the edit, and keeps it whatever a vendor does to it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

ENDS = ("", " ", " of the very long house name", " R&D", " é", "x")
BAD_PHONE, BAD_STAGE = "ask at the desk", "nowhere"


def mark(field: str, n: int) -> str:
    """What of this edit's value can be found again wherever it went."""
    if field == "phone":
        return f"1555{n:04d}"
    if field == "birthday":
        return (dt.date(1950, 1, 1) + dt.timedelta(days=n)).isoformat()
    return f"q{n:04d}"


def value(field: str, n: int, who: int) -> Any:
    """The n-th value, of this field."""
    if field == "email":
        return f"q{n:04d}.p{who}@people.example"
    if field == "phone":
        return f"+3531555{n:04d}" if n % 2 else f"(01) 555-{n:04d}"
    if field == "birthday":
        return mark(field, n)
    return f"q{n:04d}{ENDS[n % len(ENDS)]}"


def first_address(who: int) -> str:
    return f"p{who}@people.example"


def address_key(shown: Any) -> str:
    return str(shown or "").strip().lower()


def members(shown: Any) -> list[str]:
    """The tags a side shows, as a list."""
    return [] if not shown else list(shown) if isinstance(shown, (list, tuple)) else [part for part in str(shown).split(";") if part]


def searchable(value: Any) -> str:
    """Text in which marks are looked for: as it is, and as digits, for those who write numbers their own way."""
    text = str(value).lower()
    return f"{text} {re.sub(r'[^0-9]', '', text)}" if text[:1] in "(+0" else text
