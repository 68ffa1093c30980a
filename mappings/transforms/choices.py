"""Choices by a value table. A native the table does not know is never guessed; of several natives with one meaning the first is written."""

from __future__ import annotations

from typing import Any

from mappings.transforms.native import key
from syncline.errors import UnknownChoice
from syncline.lens import Step


def choices(pairs: tuple[tuple[Any, str], ...]) -> Step:
    """`pairs`: (native, canonical), first come first written. Both ways raise UnknownChoice. A blank is blank unless the table names it."""
    meaning = {key(native): canonical for native, canonical in pairs}
    native_of = {canonical: native for native, canonical in reversed(pairs)}

    def read(shown: Any) -> str | None:
        word = key(shown)
        if word in meaning:
            return meaning[word]
        if word == "":
            return None
        raise UnknownChoice("a value the mapping's table does not know", detail=word)

    def write(value: str | None) -> Any:
        if value is None or value in native_of:
            return native_of.get(value) if value is not None else None
        raise UnknownChoice("a value this side has no word for in the mapping's table", detail=value)

    return Step(get=read, put=write, two_way=bool(pairs))


def as_shown() -> Step:
    """A choice without a table: both sides use the same words."""
    return Step(get=lambda shown: key(shown) or None, put=lambda value: value)
