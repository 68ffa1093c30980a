"""Text: what is shown is kept, letter by letter; only comparing ignores outer spaces. `max` shortens what is written (`lossy`)."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

from mappings.transforms.native import key
from syncline.errors import Rejected
from syncline.lens import Step


def text(*, trim: bool = True, max: int | None = None) -> Step:
    """`trim`: only spaces is blank. `max`: the side holds that many characters; never cuts a letter from its accents."""
    get = _read if trim else _read_spaces_too
    put = _whole if max is None else lambda value: _cut(value, max)
    return Step(get=get, put=put, lossy=max is not None, as_is=sys.maxsize if max is None else max)


def _read(shown: Any) -> str | None:
    if type(shown) is str:  # nearly always
        return None if not shown or shown.isspace() else shown
    written = _read_spaces_too(shown)
    return None if written is None or not written.strip() else written


def _read_spaces_too(shown: Any) -> str | None:
    if shown is None or shown == "":
        return None
    if isinstance(shown, (list, tuple, dict)):
        raise Rejected("a list where text was expected: give the field type set", detail=str(shown))
    return shown if isinstance(shown, str) else key(shown)


def _whole(value: str | None) -> str | None:
    return value


def _cut(value: str | None, max: int) -> str | None:
    if value is None or len(value) <= max:
        return value
    end = max
    while end > 1 and unicodedata.combining(value[end]):
        end -= 1
    return value[:end].rstrip() or value[:end]
