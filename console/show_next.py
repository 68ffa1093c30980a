"""What comes next for one contact: what the next run decides, or what it waits for until then. `show_contact` uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from console.show import iso, when
from console.show_plan import entry_line, hold_line
from state.status import Standing
from syncline.conflict import TITLE
from syncline.log import Entry
from syncline.mapping import CompiledMapping, Field
from syncline.merge import read_field
from syncline.plan import Contact, ContactPlan
from syncline.records import MISSING, Native, Side


def shown(field: Field, side: Side, native: Native | None) -> Any:
    """The canonical value, or what is wrong with it; None when nobody showed it."""
    got, error = read_field(field, side, native)
    return f"(cannot be read: {error})" if error else None if got is MISSING else got


def decided(plan: ContactPlan, contact: Contact, mapping: CompiledMapping) -> Iterator[tuple[str, str]]:
    """(field, line) of all that the plan would do and hold; the field is "" where it is the whole contact."""
    for entry in plan.entries:
        for each in _by_side(entry, plan, contact, mapping):
            yield entry.field or "", entry_line(each)
    for hold in plan.holds:
        yield hold.field, hold_line(hold)


def _by_side(entry: Entry, plan: ContactPlan, contact: Contact, mapping: CompiledMapping) -> list[Entry]:
    """A change of a field once for each side that is written, from what it shows now to what it would show then.

    The entry's own `old` is what both sides agreed on, and that may be what one of them has refused.
    """
    if entry.kind != "change" or entry.field is None:
        return [entry]
    field, told = mapping.field(entry.field), []
    for side in entry.to:
        state = contact.sides.get(side)
        before = state.seen if state else {}
        after = {**before}
        for write in plan.writes:
            if write.side == side and state is not None and write.ref == state.ref:
                after |= {**write.fields, **write.consent}
        told.append(replace(entry, old=shown(field, side, before), new=shown(field, side, after), to=(side,)))
    return told or [entry]


def outlook(standing: Standing, lines: Sequence[str], held: bool, now_us: int) -> dict[str, Any]:
    """`next`: what the next run does. `later`: what is decided once `waits` is over; `retry_at` when that is a pause."""
    if standing.writing:
        sides = " and ".join(TITLE[side] for side in standing.writing)
        return _told([f"the write under way in {sides} is finished, and what follows is decided from its answer"])
    if standing.due_us is None:
        waits = f"waits for an edit of either record{', or the next full run (nightly)' if held else ''}"
        return _told(later=lines, waits=waits if lines else None)
    if standing.due_us > now_us:
        waits = f"is tried again after a failed write, from {when(standing.due_us)} on"
        return _told(later=lines, waits=waits, retry_at=iso(standing.due_us))
    return _told(lines)


def _told(now: Sequence[str] = (), *, later: Sequence[str] = (), waits: str | None = None, retry_at: str | None = None) -> dict[str, Any]:
    return {"next": list(now), "later": list(later), "waits": waits, "retry_at": retry_at}
