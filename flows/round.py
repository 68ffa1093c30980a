"""One round: observe → match → decide → guard → commit → push → settle, from lease to report. No Prefect in it; console and flows call it.

Theory of operation. Every round first finishes what an earlier one left in the outbox, so that observations are only ever staged over an
empty outbox. A plan is inert until `commit`; a crash before that discards it, for observations stay dirty; a crash after it leaves outbox
rows, and those are checked against the world before they are sent. The lease's fencing number is verified inside every transaction.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flows.listings import judge
from flows.observe import Observed, observe
from flows.progress import Progress, Silent
from flows.push import Pushed, push
from flows.reconcile import Planned, commit, decide, match, refuse
from flows.settings import Context, checkpoint, holder, prepare
from state.status import Paused
from syncline.errors import CursorRegressed, GuardTripped, SyncError, UsageError
from syncline.log import Entry
from syncline.plan import ContactPlan
from syncline.records import Side

Kind = Literal["sync", "sweep", "retry", "plan"]
Status = Literal["in_step", "held", "failed", "stopped", "planned"]
LEASE_TTL_S = 900
LEASE_TTL_US = LEASE_TTL_S * 1_000_000
ASKS_ANEW = ("sweep", "retry")
"""Rounds that have both sides described anew: a sweep for their options, a retry because it would not learn their clocks from any poll."""

WAITS_FOR_A_YES = (GuardTripped, CursorRegressed)
KEPT_RUNS = 12
"""Among so many newest runs a stopped one keeps its plan, so that an admin need not race the schedule."""

APPROVABLE = ("stopped", "planned")
"""How a run ended whose plan is whole: one that died while planning has only part of one."""

EXIT: dict[str, int] = {"in_step": 0, "planned": 0, "held": 1, "failed": 1}


@dataclass(slots=True)
class Report:
    """What a round did. `observed`: per side read = unchanged + staged. `totals`: what the plan weighed. `paused`: who waits to be tried
    again after a failed write, of this run or an earlier one. `error`: what ended it early.
    """

    kind: Kind
    run_id: int = 0
    status: Status = "in_step"
    observed: dict[Side, Observed] = field(default_factory=dict)
    paired: int = 0
    ambiguous: int = 0
    decided: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    trips: list[str] = field(default_factory=list)
    pushed: Pushed = field(default_factory=Pushed)
    open_holds: int = 0
    paused: Paused = field(default_factory=Paused)
    calls: dict[Side, dict[str, int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: SyncError | None = None

    @property
    def exit_code(self) -> int:
        """0 in step, 1 something held or failed; otherwise the error's own code."""
        return self.error.exit_code if self.error is not None else EXIT.get(self.status, 1)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON: plain numbers and texts, no personal data."""
        sides = {side: {"read": o.read, "unchanged": o.unchanged, "changed": o.staged, "full": o.full} for side, o in self.observed.items()}
        pushed = {name: getattr(self.pushed, name) for name in ("applied", "held", "moved", "failed")}
        return {
            "run": self.run_id, "kind": self.kind, "status": self.status, "observed": sides, "paired": self.paired,
            "ambiguous": self.ambiguous, "decided": self.decided, "planned": self.totals, "trips": self.trips, "pushed": pushed,
            "open_holds": self.open_holds, "to_retry": self.paused.contacts, "retry_at_us": self.paused.first_us,
            "went_back": isinstance(self.error, CursorRegressed), "calls": self.calls,
            "warnings": self.warnings, "error": str(self.error) if self.error else None, "exit_code": self.exit_code,
        }  # fmt: skip


def run_round(context: Context, kind: Kind = "sync", *, approve: int | None = None, progress: Progress | None = None) -> Report:
    """Run one round. Never raises a SyncError: it is in `report.error`, with everything that was known by then.

    `approve`: the run whose kept plan may go ahead although it exceeds limits; exactly that plan is committed.
    """
    report, progress = Report(kind), progress or Silent()
    try:
        if kind == "plan" and context.sync.mapping_version() not in (None, context.mapping.version):
            context.try_out()  # adopting a mapping takes every base away: a dry run must not
        with _leased(context) as fencing:
            _round(context, report, approve, _Renewing(context, fencing, progress))
    except SyncError as error:
        report.error, report.status = error, "stopped" if isinstance(error, WAITS_FOR_A_YES) else "failed"
        _note_failure(context, report)
    report.calls = {side: dict(getattr(c, "calls", {})) for side, c in context.connectors.items()}
    return report


@contextmanager
def _leased(context: Context) -> Iterator[int]:
    """Hold the lease for the round; two rounds of one sync never overlap, wherever they start. Gives its fencing number."""
    fencing = context.sync.lease.acquire(holder(), context.clock(), LEASE_TTL_US)
    context.sync.fenced(fencing)
    try:
        yield fencing
    finally:
        context.sync.fenced(None)
        context.sync.lease.release(fencing)


class _Renewing:
    """Progress that is passed on, and keeps the lease for as long as there is any: a first load may take hours."""

    def __init__(self, context: Context, fencing: int, progress: Progress) -> None:
        self._context, self._fencing, self._progress = context, fencing, progress
        self._renewed_us = context.clock()

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage."""
        self._progress.stage(name, total)

    def advance(self, count: int) -> None:
        """Count on. Raises LockHeld when another run has taken the sync over."""
        now_us = self._context.clock()
        if now_us - self._renewed_us > LEASE_TTL_US // 3:
            self._context.sync.lease.renew(self._fencing, now_us, LEASE_TTL_US)
            self._renewed_us = now_us
        self._progress.advance(count)


def _round(context: Context, report: Report, approve: int | None, progress: Progress) -> None:
    report.run_id = context.sync.begin_run(report.kind, context.clock())
    if context.sync.outbox_size() and report.kind != "plan":
        push(context, report.run_id, progress, report.pushed)
    report.warnings = [str(problem) for problem in prepare(context, fresh=report.kind in ASKS_ANEW)]
    changed = _adopt_mapping(context, report.run_id)
    accept = approve is not None and _accepted(context, report, approve)
    if approve is None or accept:
        _observe_and_decide(context, report, changed, progress, accept)
    else:
        _approved(context, report, approve)
    if report.kind == "plan":
        report.status = "planned"
    else:
        _go(context, report, report.run_id if approve is None or accept else approve, progress)
    _close(context, report)


def _adopt_mapping(context: Context, run_id: int) -> bool:
    """A new mapping version: no base is comparable any more, so this run lists everything and compares without one."""
    version = context.mapping.version
    if context.sync.mapping_version() == version:
        return False
    context.sync.adopt_mapping(version, Path(context.loaded.file).read_text(encoding="utf-8"), run_id, context.clock())
    return True


def _observe_and_decide(context: Context, report: Report, mapping_changed: bool, progress: Progress, accept: bool) -> None:
    if report.kind != "retry":
        full = report.kind == "sweep" or mapping_changed or accept
        if report.kind == "sweep":
            context.sync.touch_held()
        report.observed = observe(context, full=full, progress=progress)
        judge(context, report.observed, sweep=full, accept=accept)
    report.paired, report.ambiguous = match(context, report.run_id)
    # Plans that wait for an admin stay for an hour of five-minute runs; the first one that is committed ends the others.
    context.sync.drop_plan(keep=[run.id for run in context.sync.runs(KEPT_RUNS) if run.status == "stopped"])
    planned = decide(context, report.run_id, progress, births=report.kind != "retry")
    _fill(report, planned)
    if report.kind != "plan":
        refuse(planned, report.run_id, context.loaded.file)


def _fill(report: Report, planned: Planned) -> None:
    report.decided, report.totals, report.trips = planned.decided, planned.totals, [str(trip) for trip in planned.trips]


def _accepted(context: Context, report: Report, approve: int) -> bool:
    """Whether the approved run stopped because a side went back in time: then there is no plan yet, and the side is read as it is."""
    run = context.sync.run(approve)
    if run is None or run.status != "stopped" or not run.counts.get("went_back"):
        return False
    _note_approval(
        context,
        report,
        Entry("approval", new={"run": approve, "by": _who()}, reason=f"run {approve}: what a side went back to is accepted"),
    )
    return True


def _approved(context: Context, report: Report, approve: int) -> None:
    """A person said yes to a kept plan: note who and what in the log, and let exactly that plan through."""
    run = context.sync.run(approve)
    if run is None or run.status not in APPROVABLE or not context.sync.plan_exists(approve):
        raise UsageError(f"run {approve} has no plan waiting for approval; `syncline status` shows the runs")
    if run.mapping_version != context.mapping.version:
        raise UsageError(f"the mapping has changed since run {approve} made its plan; run a sync and look at the new one")
    context.sync.drop_plan(keep=(approve,))
    # A run since then, or what this one had left to push, may have staged somebody whom nobody has matched yet.
    report.paired, report.ambiguous = match(context, report.run_id)
    report.totals = context.sync.plan_totals(approve)
    entry = Entry("approval", new={"run": approve, "totals": report.totals, "by": _who()}, reason=f"plan of run {approve} approved")
    _note_approval(context, report, entry)


def _note_approval(context: Context, report: Report, entry: Entry) -> None:
    context.sync.append([entry], report.run_id, context.clock(), context.mapping.version)


def _who() -> str:
    """The account that said yes: its name on this machine, or what a container calls itself."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # an account without a name
        return socket.gethostname()


def _go(context: Context, report: Report, plan_of: int, progress: Progress) -> None:
    context.sync.drop_plan(keep=(plan_of,))
    report.decided = commit(context, plan_of, progress) or report.decided
    push(context, report.run_id, progress, report.pushed)
    report.error = report.pushed.failure


def _close(context: Context, report: Report) -> None:
    report.open_holds, report.paused = context.sync.open_holds(), context.sync.paused()
    if report.kind != "plan":
        report.status = _status(report)
        checkpoint(context)
    _end_run(context, report)


def _status(report: Report) -> Status:
    """What failed in an earlier run and waits out its pause is missing as much as what failed just now."""
    if report.error is not None or report.pushed.failed or report.paused.contacts:
        return "failed"
    return "held" if report.open_holds or report.pushed.held else "in_step"


def _end_run(context: Context, report: Report) -> None:
    message = str(report.error) if report.error else ""
    context.sync.end_run(report.run_id, report.status, report.as_dict(), message, context.clock())


def _note_failure(context: Context, report: Report) -> None:
    """Remember why the run ended, if the database still takes it; the error itself is what the caller gets."""
    if not report.run_id:
        return
    try:
        _end_run(context, report)
    except SyncError:
        report.warnings.append("the run's end could not be recorded")


def planned_contacts(context: Context, run_id: int) -> Iterator[ContactPlan]:
    """The plan of a run, contact by contact, for showing it to people."""
    for _number, plans in context.sync.plan_chunks(run_id):
        yield from plans
