"""Listings: whether a full one is believed, and what it tells that no poll can: who went back in time, and who is gone.

Only a listing that was whole, of a side that is neither emptied nor restored from a backup, moves the cursor.
"""

from __future__ import annotations

from collections.abc import Mapping

from flows.observe import Observed, read_again
from flows.settings import Context
from state.observations import Observation
from syncline.errors import CursorRegressed, GuardTripped, SyncError
from syncline.guard import FLOOR, emptied
from syncline.records import Side

CONFIRM = 500
"""Suspected deletes are read again in groups of this size."""


def judge(context: Context, found: Mapping[Side, Observed], *, sweep: bool, accept: bool) -> None:
    """Judge what both sides listed in full, if they did; a `sweep` also notices what is gone. Raises GuardTripped and CursorRegressed.

    `accept`: a side that went back in time is taken as it is.
    """
    try:
        for side, each in found.items():
            if each.complete:
                _weigh(context, side, each, sweep, accept)
    except SyncError:
        _end(context, found, believed=False)
        raise
    _end(context, found, believed=True)


def _weigh(context: Context, side: Side, found: Observed, sweep: bool, accept: bool) -> None:
    _refuse_empty(context, side)
    if sweep:
        _find_older(context, side, accept)
        _find_deletes(context, side, found)


def _end(context: Context, found: Mapping[Side, Observed], believed: bool) -> None:
    """A listing that was whole, and is believed, moves the cursor. After any other, polls go on where they stood before it."""
    for side, each in found.items():
        if each.ended is None:
            continue
        if believed and each.complete:
            context.sync.stage(side, (), each.ended)
        else:
            context.sync.go_back(side, each.ended if believed else None)


def _refuse_empty(context: Context, side: Side) -> None:
    """An emptied side stops the run."""
    listed = context.sync.swept_count(side)
    before = 0 if listed else context.sync.live_count(side)
    if emptied(before, listed) and context.mapping.policy.empty_side == "stop":
        raise GuardTripped(
            f"{context.connectors[side].title} listed nothing, and {before} records are known there. Nothing was written. "
            "Check the account and its permissions; if it is really empty, set policy.limits.empty_side to allow for one run."
        )


def _find_older(context: Context, side: Side, accept: bool) -> None:
    """What the listing showed older than we know is looked up by id. A lagging answer has caught up by now; what is still older is true.

    A few such records have no base any more and are merged anew. Many are a restored backup: a person decides, before anything is written.
    """
    still, shown = list[Observation](), context.sync.listed_older(side)
    for start in range(0, len(shown), CONFIRM):
        again = list(read_again(context, side, shown[start : start + CONFIRM]))
        still += context.sync.older(side, again)
        context.sync.stage(side, again, now_us=context.clock())
    if len(still) > FLOOR and not accept:
        raise CursorRegressed(
            f"{context.connectors[side].title} shows {len(still)} records as they were before we last saw them: a restored backup? Nothing "
            "was written. Put it right there, or approve this run: the sides are then merged anew, as when they first met."
        )
    if still:
        context.sync.stage(side, still, now_us=context.clock(), force=True)


def _find_deletes(context: Context, side: Side, found: Observed) -> None:
    """After a whole listing, what we know and it lacks is looked up by id: only then is it gone."""
    after = ""
    while refs := context.sync.unswept(side, after, CONFIRM):
        after = refs[-1]
        records = list(read_again(context, side, refs))
        found.read += len(records)
        found.staged += len(records)
        context.sync.stage(side, records, now_us=context.clock())
