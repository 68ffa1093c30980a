"""Plays a history and says what became of it: `run(seed)` for one seed, `play(history)` for any history.

After the last step: STABILIZE. Faults end, permissions come back, lags and pauses pass, guard stops are approved, and rounds go on until
both a sync and a sweep have nothing to do. Then the judge looks.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

from flows.round import Report
from syncline.errors import LogBroken, UsageError
from syncline.records import Side
from tests.simulation import judge
from tests.simulation.befalls import asks
from tests.simulation.history import History, generate
from tests.simulation.judge_calls import cheap_when_quiet, no_call_too_many
from tests.simulation.judge_log import erased_is_gone, tampering_shows
from tests.simulation.judge_reads import never_older
from tests.simulation.world import Violation, World

MOST_ROUNDS = 24
SPOIL_ONE_IN = 8
LONG_S = 7 * 3600
"""Longer than any lag, lease or pause between tries."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`violations`: broken promises. `faults`: injected, by kind. `rounds`: all, `settling`: until quiet. `log_bytes`: the whole log."""

    violations: tuple[Violation, ...]
    faults: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    settling: int = 0
    steps: int = 0
    log_bytes: bytes = b""

    @property
    def broken(self) -> frozenset[str]:
        """Names of the invariants that do not hold."""
        return frozenset(violation.invariant for violation in self.violations)


def run(seed: int | str, prepare: Callable[[World], None] | None = None) -> Outcome:
    """Generate and play the history of a seed."""
    return play(generate(seed), prepare)


def play(history: History, prepare: Callable[[World], None] | None = None) -> Outcome:
    """`prepare` sees the world before its first step."""
    world = World(history.setup, history.seed)
    settling, newest = 0, dict[tuple[Side, str], int]()
    try:
        if prepare is not None:
            prepare(world)
        try:
            for step in history.steps:
                before = _before(world)
                world.do(step)
                _no_surprise(world)
                if step["do"] in ("round", "approve"):
                    never_older(world, newest)
                    _no_call_too_many(world, before)
            settling = stabilize(world)
            never_older(world, newest)
            if "I5" not in {violation.invariant for violation in world.violations}:
                judge.judge(world)
        except Exception as error:  # noqa: BLE001 - whatever it is, no history may end in a traceback
            where = traceback.extract_tb(error.__traceback__)[-1]
            world.broken("no-crash", f"{type(error).__name__} at {where.name}:{where.lineno}: {error}")
        rounds, log = len(world.reports), log_bytes(world)
        if not world.violations and crc32(history.seed.encode()) % SPOIL_ONE_IN == 0:
            world.violations += [*tampering_shows(world), *erased_is_gone(world)]
        return Outcome(tuple(world.violations), world.injected, rounds, settling, len(history.steps), log)
    finally:
        world.close()


def _before(world: World) -> tuple[int, int, dict[Side, int]]:
    """How many reports, faults and effects there were."""
    return len(world.reports), world.injected.total(), {side: len(vendor.effects) for side, vendor in world.vendors.items()}


def _no_call_too_many(world: World, before: tuple[int, int, dict[Side, int]]) -> None:
    """Where one round was played since, nothing befell it, and nobody refused anything."""
    reports, faults, effects = before
    for report in world.reports[reports:] if world.injected.total() == faults and len(world.reports) == reports + 1 else ():
        if report.exit_code == 0 and not report.pushed.moved and not any(world.hidden.values()):
            no_call_too_many(world, report, {side: world.vendors[side].effects[at:] for side, at in effects.items()})


def log_bytes(world: World) -> bytes:
    """The whole log, byte for byte: two runs of one seed must give the same."""
    return "\n".join(f"{row}" for row in world.engine().sync.entries()).encode()


def _no_surprise(world: World) -> None:
    """A round may end for a named reason, but a damaged database, a broken log or an unusable mapping is none that we have given it."""
    for report in world.reports[-2:]:
        if isinstance(report.error, (UsageError, LogBroken)):
            world.broken("no-surprise", f"run {report.run_id}: {report.error!r}")


def stabilize(world: World) -> int:
    """Rounds until a sync and a sweep, one after the other, have nothing to do. Returns how many it took."""
    for side in world.faults:
        world.faults[side].clear()
        world.spoilt_us = world.now_us if world.hidden[side] else world.spoilt_us
        world.hidden[side].clear()
    world.later.clear()
    quiet = 0
    for number in range(MOST_ROUNDS):
        world.now_us += LONG_S * 1_000_000
        kind = "sync" if number < 2 or quiet % 2 == 0 else "sweep"  # the first sweep is the third round
        before = _written(world)
        report = world.round("sweep" if number == 2 else kind)  # type: ignore[arg-type]
        if report is not None and asks(report):
            report = world.round("sync", approve=report.run_id)
        _no_surprise(world)
        if number == 1 and report is not None and report.error is None and not report.pushed.applied:
            judge.heard_without_a_sweep(world)
        quiet = 0 if number < 3 or _busy(world, report, before) else quiet + 1
        if quiet == 1:
            cheap_when_quiet(world)
        if quiet == 2:
            return number - 2
    world.broken("I5", f"still busy after {MOST_ROUNDS} rounds: {_said(report)}")
    return MOST_ROUNDS


def _busy(world: World, report: Report | None, before: tuple[int, int]) -> bool:
    """Whether anything happened. What a vendor refuses is tried again by every sweep, in vain, and noted."""
    if report is None or report.error is not None or report.pushed.moved or report.pushed.failed:
        return True
    effects, entries = _written(world)
    return effects != before[0] or (entries != before[1] and not (report.kind == "sweep" and report.pushed.held))


def _said(report: Report | None) -> str:
    return "died" if report is None else f"{report.error!r}, {report.totals}, {report.pushed}"


def _written(world: World) -> tuple[int, int]:
    """Effects of the engine, and entries of the log."""
    effects = sum(effect.engine for vendor in world.vendors.values() for effect in vendor.effects)
    return effects, world.engine().sync.checkpoint()[0]
