"""Every crash of many histories: `python -m tests.crashes --histories 200 [--pairs [N]] [--seed S] [--minutes M] [--jobs J] [--json]`.

Histories have the seeds from S on; `--interrupted` tries Ctrl-C instead. Ends with 1 when a crash made a difference, and names the seed and
the boundary.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.crashes.enumeration import Outcome, enumerate_all


def summed(outcomes: list[Outcome]) -> dict[str, object]:
    """The figures of a run."""
    return {
        "histories": len(outcomes),
        "whole": sum(outcome.whole for outcome in outcomes),
        "points": sum(outcome.points for outcome in outcomes),
        "pairs": sum(outcome.pairs for outcome in outcomes),
        "boundaries": dict(sum((outcome.boundaries for outcome in outcomes), Counter())),
        "violations": [violation for outcome in outcomes for violation in outcome.violations],
    }


def show(figures: dict[str, object], seconds: float, console: Console) -> None:
    table = Table("histories", "crash points", "pairs", "violations", title=f"crashes in process, {seconds:.0f} s")
    violations = figures["violations"]
    assert isinstance(violations, list)
    table.add_row(f"{figures['histories']} ({figures['whole']} whole)", str(figures["points"]), str(figures["pairs"]), str(len(violations)))
    console.print(table)
    console.print(f"boundaries: {figures['boundaries']}")
    for violation in violations:
        console.print(violation, style="red", markup=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crashes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--pairs", type=int, nargs="?", const=1, default=0, help="in short histories also a second crash, or every N-th")
    parser.add_argument("--interrupted", action="store_true", help="the program may still clean up, as after Ctrl-C")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0: one a core")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    asked.jobs = asked.jobs or os.cpu_count() or 1
    console, began, outcomes = Console(stderr=True), time.monotonic(), list[Outcome]()
    until = began + asked.minutes * 60 if asked.minutes else None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("histories", total=asked.histories)
        seeds = range(asked.seed, asked.seed + asked.histories)
        for outcome in enumerate_all(seeds, asked.jobs, until, pairs=asked.pairs, interrupted=asked.interrupted):
            outcomes.append(outcome)
            wrong = sum(len(each.violations) for each in outcomes)
            progress.update(task, advance=1, description=f"{sum(each.points for each in outcomes)} crashes, {wrong} violations")
    figures = summed(outcomes)
    show(figures, time.monotonic() - began, console)
    if asked.json:
        print(json.dumps({**figures, "seed": asked.seed, "seconds": time.monotonic() - began}))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
