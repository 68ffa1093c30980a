"""What vendors do to a value on its way in: trim, fold, cut, dial, reorder, escape. Each is idempotent: nX(nX(v)) = nX(v)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

Habit = Callable[[Any], Any]
CUT = 20


def _texts(change: Callable[[str], str]) -> Habit:
    return lambda value: change(value) if isinstance(value, str) else value


def dialled(value: Any) -> Any:
    """Irish numbers in E.164; what is no number stays as it is."""
    digits = re.sub(r"[\s()-]", "", value) if isinstance(value, str) else value
    return f"+353{digits[1:]}" if isinstance(digits, str) and re.fullmatch(r"0\d{8,9}", digits) else value


def _national(value: Any) -> Any:
    """As the Irish write it: 01 555 0123."""
    found = re.fullmatch(r"\+3531(\d{3})(\d{4})", value) if isinstance(value, str) else None
    return f"01 {found[1]} {found[2]}" if found else value


HABITS: dict[str, Habit] = {
    "none": lambda value: value,
    "trim": _texts(str.strip),
    "upper": _texts(str.upper),
    "lower": _texts(str.lower),
    "cut": _texts(lambda text: text[:CUT].rstrip()),
    "escape": _texts(lambda text: re.sub(r"&(?!amp;)", "&amp;", text)),
    "dial": dialled,
    "national": _national,
    "reorder": lambda value: sorted(value, reverse=True) if isinstance(value, list) else value,
    "rejoin": _texts(lambda text: ";".join(sorted((part for part in text.split(";") if part), reverse=True))),
    "day": _texts(lambda text: text[:10]),
}
OF_FIELD = {
    "first": ("none", "trim", "upper"),
    "last": ("none", "trim", "cut", "lower"),
    "city": ("none", "trim", "escape"),
    "note": ("none", "escape", "cut"),
    "company": ("none", "trim", "cut"),
    "phone": ("none", "dial", "national"),
    "birthday": ("none", "day"),
    "tags": ("none", "reorder", "rejoin"),
    "email": ("none", "trim", "lower"),
}


def choose(rng: random.Random) -> dict[str, str]:
    """A vendor's habits, by field."""
    return {field: rng.choice(names) for field, names in OF_FIELD.items()}
