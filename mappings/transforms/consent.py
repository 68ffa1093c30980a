"""Consent tables. Like choices, but a side that has no word for what was agreed keeps quiet instead of being refused.

A CRM that only knows "opted out: yes or no" cannot say *opted in*. Told so, it keeps what it shows if that says nothing (blank, or one of
the rule's `silent` values), and otherwise is given the word for saying nothing. Blank never changes consent.
"""

from __future__ import annotations

from typing import Any

from mappings.transforms.choices import choices
from mappings.transforms.focus import Get, PutBeside
from mappings.transforms.native import shows_nothing
from syncline.errors import UnknownChoice
from syncline.records import MISSING


def consent(pairs: tuple[tuple[Any, str], ...], silent: tuple[str, ...]) -> tuple[Get, PutBeside]:
    """(get, put beside what is shown). Raises UnknownChoice for an unknown native, or when the side cannot even keep quiet."""
    table = choices(pairs)
    words = {canonical for _, canonical in pairs}
    quiet = next((canonical for canonical in silent if canonical in words), None)

    def write(value: str | None, shown: Any) -> Any:
        if value is None:
            return MISSING
        if value in words:
            return table.put(value)
        if shows_nothing(shown) or table.get(shown) in silent:
            return MISSING
        if quiet is None:
            raise UnknownChoice("a consent this side has no word for, nor for saying nothing", detail=value)
        return table.put(quiet)

    return table.get, write
