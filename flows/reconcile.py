"""Reconcile: match, follow merges, decide, weigh. Everything here happens before the first write, and leaves only an inert plan behind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from flows.observe import read_again
from flows.progress import Progress
from flows.settings import Context
from syncline.errors import GuardTripped
from syncline.guard import WEIGHED, Trip, weigh
from syncline.planner import plan_contact
from syncline.records import SIDES, Side

CHUNK = 250
"""Contacts decided, and later committed, together: one plan row and one transaction each."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What the plan of a run amounts to. `totals`: summed by the store; `trips`: limits it would exceed; `decided`: contacts looked at."""

    decided: int
    chunks: int
    totals: dict[str, int]
    trips: tuple[Trip, ...]


def match(context: Context, run_id: int) -> tuple[int, int]:
    """Pair what has no link, and follow merges. Returns (pairs found, records left ambiguous)."""
    now = context.clock()
    for side in SIDES:
        _meet_survivors(context, side)
    for merge in context.sync.merges():
        context.sync.apply_merge(merge, run_id, now, context.mapping.version)
    summary = context.sync.match_records(now, run_id)
    return summary.paired, summary.ambiguous


def _meet_survivors(context: Context, side: Side) -> None:
    """A record may be known to have been merged into one that no poll has shown yet: read that one, and whom it was merged into."""
    met: set[str] = set()
    while refs := [ref for ref in context.sync.missing_survivors(side) if ref not in met]:
        met.update(refs)
        context.sync.stage(side, list(read_again(context, side, refs)), now_us=context.clock())


def decide(context: Context, run_id: int, progress: Progress, births: bool = True) -> Planned:
    """Decide every dirty contact, chunk by chunk, into the plan of this run, and weigh it. Memory holds one chunk.

    `births`: not in a round that has not polled. A poll that failed may have left one side's new records, and the other has them too; and
    whom we could not make may be there by now.
    """
    traits, now = context.traits(), context.clock()
    number, decided, after = 0, 0, None
    progress.stage("decide")
    while True:
        contacts, after = context.sync.contacts_to_decide(CHUNK, now, after, births)
        if contacts:
            plans = [plan_contact(context.mapping, contact, traits) for contact in contacts]
            context.sync.save_plan(run_id, number, plans)
            number, decided = number + 1, decided + len(plans)
            progress.advance(len(plans))
        if after is None:
            break
    totals = context.sync.plan_totals(run_id)
    return Planned(decided, number, totals, _weighed(context, totals))


def _weighed(context: Context, totals: dict[str, int]) -> tuple[Trip, ...]:
    """The limits exceeded. The linked contacts are counted only when there is something to weigh, not in every quiet run."""
    if not any(totals.get(name) for name in WEIGHED.values()):
        return ()
    return weigh(totals, context.mapping.policy.limits, context.sync.linked_count())


def refuse(planned: Planned, run_id: int, mapping_file: str) -> None:
    """Raise GuardTripped when the plan exceeds a limit; its plan stays for approval."""
    if planned.trips:
        what = "; ".join(str(trip) for trip in planned.trips)
        raise GuardTripped(
            f"The plan of run {run_id} exceeds the limits of this mapping: {what}. Nothing was written. "
            f"Look at it with `syncline plan {mapping_file} --run {run_id}`; "
            f"if it is right, `syncline sync {mapping_file} --approve {run_id}`."
        )


def commit(context: Context, run_id: int, progress: Progress) -> int:
    """Turn the approved plan live, chunk by chunk: view, log and outbox of a chunk in one transaction. Returns the contacts committed.

    Not those that later runs have touched while the plan waited: they are decided anew by the next round.
    """
    committed = 0
    progress.stage("commit")
    for number, plans in context.sync.plan_chunks(run_id):
        now, new_keys = context.clock(), partial(_new_keys, context)
        committed += context.sync.commit_chunk(run_id, number, plans, context.mapping.version, now, new_keys)
        progress.advance(len(plans))
    return committed


def _new_keys(context: Context, count: int) -> list[bytes]:
    """Fresh secrets, one a contact: what makes a person erasable from a log that still verifies."""
    secrets = context.random_bytes(32 * count)
    return [secrets[at : at + 32] for at in range(0, len(secrets), 32)]
