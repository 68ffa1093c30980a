"""Native values, whatever their clothes: HubSpot says `"true"`, JSON says `true`, a form says `""`. Used by all transforms.

How `put` decides what clothes a value wears, in this order:

1. as the side shows it now: text stays text (`"12.5"`, `"true"`), a number stays a number, a list stays a list;
2. where the side shows nothing: as `describe()` types the field, if schemas were given (a number in a text field becomes text);
3. else in its natural JSON form: number, true/false, list of text, ISO text for dates.

A connector whose wire knows text alone puts the natural form into words itself.
"""

from __future__ import annotations

from typing import Any

from syncline.ports import FieldInfo
from syncline.records import MISSING

WORDS = {"true": True, "false": False}
RETYPED = frozenset({"boolean", "number"})
"""Field types in which text turns into something else."""


def key(native: Any) -> str:
    """The one spelling under which natives are compared: True → `true`, 1.0 → `1`, None → empty, text trimmed."""
    if isinstance(native, bool):
        return "true" if native else "false"
    if native is None:
        return ""
    if isinstance(native, float) and native.is_integer():
        return str(int(native))
    return str(native).strip()


def shows_nothing(native: Any) -> bool:
    """Not shown, null, empty, or only spaces."""
    return native is MISSING or native is None or native == [] or native == () or (isinstance(native, str) and not native.strip())


def dress(value: Any, shown: Any, info: FieldInfo | None) -> Any:
    """`value` in the clothes the side wears; see above. Blank is None, or `[]` where a list is shown."""
    if type(value) is str and shown is MISSING and (info is None or info.type not in RETYPED):
        return value  # text into a new record: nearly always
    if value is None:
        return [] if isinstance(shown, (list, tuple)) else None
    if not shows_nothing(shown):
        return _like(value, shown)
    return _typed(value, info.type) if info else value


def _like(value: Any, shown: Any) -> Any:
    if isinstance(shown, bool):
        return _typed(value, "boolean")
    if isinstance(shown, str):
        return _typed(value, "text")
    return _typed(value, "number") if isinstance(shown, (int, float)) else value


def _typed(value: Any, kind: str) -> Any:
    if kind == "boolean":
        return WORDS.get(key(value), value)
    if kind == "number":
        return _number(value)
    return key(value) if isinstance(value, (bool, int, float)) and kind != "set" else value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError:
            return value
    return value
