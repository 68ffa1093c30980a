"""Sets: canonical is a sorted tuple of trimmed text without doubles. A side shows a list, or text split by a separator."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mappings.transforms.native import key, shows_nothing
from syncline.errors import Rejected
from syncline.lens import Step


def split(separator: str | None = None) -> Step:
    """`separator`: the side's set is text; None: it is a list. A list shown is taken as a list either way. Both ways raise Rejected.

    `put` gives text where there is a separator; where the side shows a list (`beside`), a list.
    """
    return Step(get=lambda shown: _read(shown, separator), put=lambda value: beside(value, None, separator))


def each(step: Step) -> Step:
    """A step on every member of a set."""
    return Step(
        get=lambda members: tidy(step.get(m) for m in members) if members else None,
        put=lambda members: [step.put(m) for m in members] if members else None,
        lossy=step.lossy,
        two_way=step.two_way,
    )


def tidy(members: Any) -> tuple[str, ...] | None:
    """Sorted, trimmed, without doubles or blanks; None for none."""
    return tuple(sorted({word for m in members if m is not None and (word := key(m))})) or None


def beside(value: Any, shown: Any, separator: str | None) -> Any:
    """The native form of a set: a list if the side shows one or has no separator, else joined text."""
    if not value:
        return None
    members = [key(m) for m in value]
    if separator is None or isinstance(shown, (list, tuple)):
        return members
    if any(separator in member for member in members):
        raise Rejected(f"a member contains {separator!r}, which separates members here", detail=";".join(members))
    return separator.join(members)


def _read(shown: Any, separator: str | None) -> tuple[str, ...] | None:
    if shows_nothing(shown):
        return None
    if isinstance(shown, (list, tuple)):
        return tidy(shown)
    if separator is None:
        raise Rejected("text where a list was expected: name its separator with transform: {split: …}", detail=str(shown))
    return _members(str(shown), separator)


@lru_cache(maxsize=4096)
def _members(written: str, separator: str) -> tuple[str, ...] | None:
    return tidy(written.split(separator))
