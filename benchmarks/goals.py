"""What a workload may cost. Ratios only: seconds belong to a machine, ratios to the program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Cost
from benchmarks.workloads import Sample, echo_bound

CPU: Mapping[str, float] = {"W1": 2.0, "W4": 1.2}
"""Workload → the most CPU it may take, as a multiple of the floor's."""

START_UP = "W0"
"""The one workload whose CPU is that of the whole process; the others' is their work's, so that importing is told once."""

CALLS = 1.05
PEAK_MB = 120.0


@dataclass(frozen=True, slots=True)
class Result:
    """A workload at one size over all rounds: the least CPU of either, the most memory and calls.

    `ratio`: the middle one of the rounds' own. A machine that others use too is now faster, now slower: within a round both meet the same.
    `floor_s`, `engine_s`: the CPU that is compared. `floor_whole_s`, `engine_whole_s`: that of the whole processes.
    """

    workload: str
    size: int
    rounds: int
    ratio: float
    floor_s: float
    engine_s: float
    floor_whole_s: float
    engine_whole_s: float
    floor_mb: float
    engine_mb: float
    calls: int
    bound: int
    setup: int
    again_calls: int | None
    again_writes: int | None
    problems: tuple[str, ...]

    @property
    def calls_ratio(self) -> float:
        return self.calls / self.bound


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing asked of one result."""

    what: str
    measured: float
    limit: float

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


def result_of(size: int, samples: Sequence[Sample]) -> Result:
    """The samples of one workload, one a round, as one result."""
    last = samples[-1]
    again = [s.again for s in samples if s.again]
    return Result(
        workload=last.workload,
        size=size,
        rounds=len(samples),
        ratio=median(_compared_s(last.workload, s.engine) / _compared_s(last.workload, s.floor) for s in samples),
        floor_s=min(_compared_s(last.workload, s.floor) for s in samples),
        engine_s=min(_compared_s(last.workload, s.engine) for s in samples),
        floor_whole_s=min(s.floor.cpu_s for s in samples),
        engine_whole_s=min(s.engine.cpu_s for s in samples),
        floor_mb=max(s.floor.peak_mb for s in samples),
        engine_mb=max(s.engine.peak_mb for s in samples),
        calls=max(s.calls.total for s in samples),
        bound=last.bound,
        setup=max(s.calls.setup for s in samples),
        again_calls=max((c.total for c in again), default=None),
        again_writes=max((c.write for c in again), default=None),
        problems=tuple(dict.fromkeys(problem for s in samples for problem in s.problems)),
    )


def _compared_s(workload: str, cost: Cost) -> float:
    return cost.cpu_s if workload == START_UP else cost.work_s


def goals_of(result: Result) -> Iterator[Goal]:
    """Everything asked of it."""
    name = f"{result.workload} at {result.size:,}"
    yield Goal(f"{name}: things left undone or done wrong", len(result.problems), 0)
    if result.workload in CPU:
        yield Goal(f"{name}: CPU ÷ floor", result.ratio, CPU[result.workload])
    yield Goal(f"{name}: calls ÷ fewest possible", result.calls_ratio, CALLS)
    yield Goal(f"{name}: peak memory, MB", result.engine_mb, PEAK_MB)
    if result.again_calls is not None and result.again_writes is not None:
        yield Goal(f"{name}: writes of a second run", result.again_writes, 0)
        yield Goal(f"{name}: calls of a second run ÷ fewest possible", result.again_calls / echo_bound(result.size), CALLS)
