"""Where two records of one person must end that were alike and were then edited: field by field, from the prose of the rules.

Values are in canonical form, None for blank. `base`: what each side showed when it was quiet; `now`: what each shows after the edits;
`last`: the side that was edited last. The answer is what each side must show once nothing more happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

STAGE_RANK = {None: -1, "lead": 0, "mql": 1, "customer": 2}
FITS = 8
"""How much of `first` marketing can show."""

Ends = tuple[Any, Any]


class Edited(NamedTuple):
    base: tuple[Any, Any]
    now: tuple[Any, Any]
    last: int
    """0: the CRM, 1: marketing."""

    @property
    def moved(self) -> tuple[int, ...]:
        return tuple(side for side in (0, 1) if self.now[side] != self.base[side])


def _both(value: Any) -> Ends:
    return (value, value)


def _one_sided(e: Edited, clear: bool = False) -> Ends | None:
    """An edit of one side moves; a blank moves only where the mapping says so."""
    if len(e.moved) != 1:
        return None
    value = e.now[e.moved[0]]
    return e.now if value is None and not clear else _both(value)


def _filled(e: Edited) -> Ends | None:
    """A blank never competes with a value."""
    filled = [value for value in e.now if value is not None]
    return _both(filled[0]) if len(filled) == 1 else None


def email(e: Edited) -> Ends:
    return _one_sided(e) or _both(e.now[0])


def first(e: Edited) -> Ends:
    """Marketing shows eight letters: what it shows of the CRM's value is no edit, and an edit of a shortened text is judged by time."""
    crm, marketing = e.now
    whole = crm is None or len(crm) <= FITS
    if crm is not None and marketing == short(crm):
        return e.now
    if e.moved == (1,) and not whole and marketing is not None:
        ends = _both(e.now[e.last])
    else:
        ends = _one_sided(e) or _filled(e) or _both(e.now[e.last])
    return ends if ends[1] == marketing else (ends[0], short(ends[1]))


def short(value: Any) -> Any:
    return value[:FITS].strip() if value else value


def last(e: Edited) -> Ends:
    return _one_sided(e, clear=True) or _both(e.now[e.last])


def phone(e: Edited) -> Ends:
    return _one_sided(e) or _filled(e) or _both(e.now[1])


def company(e: Edited) -> Ends:
    return e.now if e.now[0] is None else _both(e.now[0])


def source(e: Edited) -> Ends:
    return e.now


def birthday(e: Edited) -> Ends:
    return _one_sided(e) or e.now


def stage(e: Edited) -> Ends:
    if e.moved == (0,) and e.now[0] is not None:
        return _both(e.now[0])
    return _both(max(e.now, key=STAGE_RANK.__getitem__))


def tags(e: Edited) -> Ends:
    """A whole set that went blank removes nothing."""
    base, now = ([set(value or ()) for value in pair] for pair in (e.base, e.now))
    removed = {element for side in (0, 1) if now[side] for element in base[side] - now[side]}
    return _both(tuple(sorted((now[0] | now[1]) - removed)) or None)


RIGHT: dict[str, Callable[[Edited], Ends]] = {
    "email": email, "first": first, "last": last, "phone": phone, "company": company, "source": source, "birthday": birthday,
    "stage": stage, "tags": tags,
}  # fmt: skip


def right_end(field: str, e: Edited) -> Ends:
    """Nobody moved, or both to the same: all stays. Otherwise the field's own rule."""
    return e.now if not e.moved or e.now[0] == e.now[1] else RIGHT[field](e)
