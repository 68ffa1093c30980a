"""The form two values of a field are compared in, by type. Blank gives None; MISSING stays MISSING."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from mappings.transforms.email import folded
from mappings.transforms.number import twelve_digits
from syncline.mapping import Canon
from syncline.records import MISSING, is_blank


def canon_of(type: str, *, trim: bool = True) -> Canon:
    """`trim`: whether outer spaces of text make no difference."""
    compare = composed if type == "text" and not trim else FORMS.get(type, as_is)

    def canon(value: Any) -> Any:
        if value is MISSING:
            return MISSING
        return None if is_blank(value) else compare(value)

    return canon


def as_is(value: Any) -> Any:
    """Types whose canonical values have one spelling."""
    return value


def composed(value: Any) -> str:
    """`é` is one letter, however it was typed."""
    return unicodedata.normalize("NFC", str(value))


def trimmed(value: Any) -> str | None:
    if type(value) is str and value.isascii():  # nothing to compose
        return value.strip() or None
    return composed(value).strip() or None


def members(value: Any) -> tuple[str, ...]:
    return tuple(sorted({composed(member).strip() for member in value}))


FORMS: dict[str, Callable[[Any], Any]] = {
    "text": trimmed,
    "phone": trimmed,
    "choice": trimmed,
    "email": lambda value: folded(str(value)) or None,
    "owner": lambda value: folded(str(value)) or None,
    "number": twelve_digits,
    "set": members,
}
