"""python -m tests.simulation [--seed S] [--histories N] [--minutes M] [--jobs J] [--json]: play histories and say what broke."""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.simulation.history import generate
from tests.simulation.play import Outcome, run
from tests.simulation.shrink import save

KEPT = 5
"""Failing seeds that are shrunk and saved."""


@dataclass(slots=True)
class Tally:
    """What all histories together came to."""

    first: int
    histories: int = 0
    rounds: int = 0
    steps: int = 0
    slowest: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    failing: dict[int, str] = field(default_factory=dict)

    def add(self, seed: int, outcome: Outcome) -> None:
        self.histories += 1
        self.rounds += outcome.rounds
        self.steps += outcome.steps
        self.slowest = max(self.slowest, outcome.settling)
        self.faults += outcome.faults
        self.broken.update(outcome.broken)
        if outcome.violations:
            self.failing[seed] = min(outcome.broken)

    def as_dict(self) -> dict[str, Any]:
        return {
            "seeds": [self.first, self.first + self.histories - 1], "histories": self.histories, "steps": self.steps, "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
            "a_minute_a_core": round(self.histories / self.cpu_seconds * 60) if self.cpu_seconds else 0,
            "slowest_to_settle_rounds": self.slowest, "faults": dict(self.faults.most_common()), "violations": dict(self.broken),
            "failing": self.failing,
        }  # fmt: skip


def main() -> int:
    """0 when nothing broke."""
    options = _options()
    tally, console = Tally(options.seed), Console(stderr=options.json)
    began = time.monotonic()
    until = began + options.minutes * 60 if options.minutes else None
    total = None if options.minutes else options.histories
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"histories from seed {options.seed}", total=total)
        for seed, outcome in _outcomes(options, until):
            tally.add(seed, outcome)
            progress.update(task, advance=1, description=f"seed {seed}, {len(tally.failing)} failing")
            for violation in outcome.violations[:2]:
                console.print(f"seed {seed}: {violation.invariant}: {violation.text}", markup=False, highlight=False)
    tally.seconds = time.monotonic() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    tally.cpu_seconds = sum(each.ru_utime + each.ru_stime for each in used)
    _show(console, tally.as_dict())
    for seed, invariant in list(tally.failing.items())[: 0 if options.no_save else KEPT]:
        console.print(f"shrunk: tests/simulation/seeds/{save(generate(seed), invariant)}", markup=False)
    if options.json:
        print(json.dumps(tally.as_dict()))
    return 1 if tally.failing else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="the first seed; a fresh one unless given")
    parser.add_argument("--histories", type=int, default=300)
    parser.add_argument("--minutes", type=float, help="go on for this long, whatever the number")
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0: one a core")
    parser.add_argument("--json", action="store_true", help="the sums as JSON on standard output")
    parser.add_argument("--no-save", action="store_true", help="do not shrink and keep failing seeds")
    options = parser.parse_args()
    options.jobs = options.jobs or os.cpu_count() or 1
    return options


def _outcomes(options: argparse.Namespace, until: float | None) -> Iterator[tuple[int, Outcome]]:
    """(seed, outcome), in order of seeds."""
    seeds = count(options.seed) if until else range(options.seed, options.seed + options.histories)
    if options.jobs == 1:
        for seed in seeds:
            if until and time.monotonic() > until:
                return
            yield seed, run(seed)
        return
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for batch in _batches(seeds, options.jobs * 25):
            if until and time.monotonic() > until:
                return
            yield from zip(batch, pool.map(run, batch, chunksize=5), strict=True)


def _batches(seeds: Any, size: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for seed in seeds:
        batch.append(seed)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _show(console: Console, sums: dict[str, Any]) -> None:
    table = Table(show_header=False)
    for name, value in sums.items():
        said = ", ".join(f"{key} {number}" for key, number in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), said or "none")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
