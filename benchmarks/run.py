"""The benchmark: `python -m benchmarks.run [--sizes 10000,100000] [--workloads W0,W1] [--rounds N] [--json] [--write-docs]`.

Ends with 1 when a goal is missed. Every round runs each workload once, engine and floor in turn, so that a busy moment hits both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.goals import Goal, Result, goals_of, result_of
from benchmarks.report import as_json, show, write_docs
from benchmarks.workloads import WORKLOADS, Bench, Sample
from benchmarks.world import World
from sandbox.serve import start_twins

SIZES = "10000,100000"
LARGE = 50_000
"""From here on fewer rounds do: longer ones even out some of what a busy moment does to seconds."""

ROUNDS, LARGE_ROUNDS = 9, 3


def measure(size: int, names: Sequence[str], rounds: int, console: Console) -> list[Result]:
    """The chosen workloads at one size."""
    with start_twins(rate=False, apart=True) as twins, tempfile.TemporaryDirectory() as work:
        world = World(twins, size)
        console.print(f"{size:,} contacts: filling the CRM", style="dim")
        world.fill_crm()
        samples: dict[str, list[Sample]] = {name: [] for name in names}
        for number in range(1, rounds + 1):
            bench = Bench(world, Path(work), edits=1000 * number)
            for name in names:
                console.print(f"{size:,} contacts: round {number}, {name}", style="dim")
                samples[name].append(WORKLOADS[name](bench))
    return [result_of(size, samples[name]) for name in sorted(names)]


def run(sizes: Sequence[int], names: Sequence[str], rounds: int | None, console: Console) -> tuple[list[Result], list[Goal]]:
    """Every size in turn."""
    results = [r for size in sizes for r in measure(size, names, rounds or (LARGE_ROUNDS if size >= LARGE else ROUNDS), console)]
    return results, [goal for result in results for goal in goals_of(result)]


def main() -> int:
    asked = _asked()
    console = Console(stderr=asked.json)
    names = list(_chosen(asked.workloads))
    results, goals = run([int(size) for size in asked.sizes.split(",")], names, asked.rounds, console)
    show(results, goals, console)
    if asked.json:
        print(as_json(results, goals))
    if asked.write_docs:
        write_docs(results, goals)
    return 0 if all(goal.met for goal in goals) else 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure the engine against a plain script.")
    parser.add_argument("--sizes", default=SIZES, help=f"numbers of contacts, default {SIZES}")
    parser.add_argument("--workloads", default=",".join(sorted(WORKLOADS)), help="some of W0,W1,W2,W3,W4")
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}, and {LARGE_ROUNDS} from {LARGE:,} contacts on")
    parser.add_argument("--json", action="store_true", help="print the results as JSON; the table goes to standard error")
    parser.add_argument("--write-docs", action="store_true", help="put the results into docs/performance.md")
    return parser.parse_args()


def _chosen(asked: str) -> Iterator[str]:
    """The workloads asked for, in the order of a round."""
    wanted = asked.split(",")
    if unknown := set(wanted) - set(WORKLOADS):
        sys.exit(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(sorted(WORKLOADS))}")
    return (name for name in WORKLOADS if name in wanted)


if __name__ == "__main__":
    sys.exit(main())
