"""Text: what is shown is kept, letter by letter; only comparing ignores outer spaces. `max` shortens what is written (`lossy`)."""

from __future__ import annotations

import unicodedata
from typing import Any

from mappings.transforms.native import key
from syncline.errors import Rejected
from syncline.lens import Step


def text(*, trim: bool = True, max: int | None = None) -> Step:
    """`trim`: only spaces is blank. `max`: the side holds that many characters; never cuts a letter from its accents."""
    return Step(get=lambda shown: _read(shown, trim), put=lambda value: _cut(value, max), lossy=max is not None)


def _read(shown: Any, trim: bool) -> str | None:
    if type(shown) is str:  # nearly always
        return None if not shown or (trim and shown.isspace()) else shown
    if shown is None:
        return None
    if isinstance(shown, (list, tuple, dict)):
        raise Rejected("a list where text was expected: give the field type set", detail=str(shown))
    written = key(shown)
    return None if trim and not written.strip() else written


def _cut(value: str | None, max: int | None) -> str | None:
    if value is None or max is None or len(value) <= max:
        return value
    end = max
    while end > 1 and unicodedata.combining(value[end]):
        end -= 1
    return value[:end].rstrip() or value[:end]
