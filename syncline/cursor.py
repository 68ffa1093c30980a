"""How far a poll may claim to have read. Connectors build cursors; the store keeps them; nobody else looks inside.

A cursor is (system time, ref): everything at or before it has been *staged*, not merely seen. A poll starts `overlap` before it, because
rows become visible late. It may be advanced to "when the finished poll began" by the vendor's own clock, not by ours, and never backwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """`at_us`: system time in microseconds; `ref`: the last ref inside equal stamps; `token`: where an unfinished full listing goes on."""

    at_us: int
    ref: str = ""
    token: str | None = None


def since_us(cursor: Cursor, overlap_s: int) -> int:
    """Where the next incremental poll starts: `overlap_s` seconds before the cursor, never below zero."""
    return max(0, cursor.at_us - overlap_s * 1_000_000)


def within(cursor: Cursor, at_us: int, ref: str) -> Cursor:
    """The cursor after a page whose last row is (at_us, ref). A page that only repeats the overlap does not move it back."""
    return max(cursor, Cursor(at_us, ref), key=lambda c: (c.at_us, c.ref))


def finished(cursor: Cursor, began_us: int) -> Cursor:
    """The cursor after a poll that ended: every row stamped before the poll began, by the vendor's clock, has been staged."""
    if cursor.at_us >= began_us:
        return replace(cursor, token=None)
    return Cursor(began_us)
