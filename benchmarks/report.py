"""Results as a table for people, as JSON, and as the generated section of docs/performance.md."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.goals import Goal, Result

DOCS = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- last run: written by `python -m benchmarks.run --write-docs` -->", "<!-- end of last run -->"
COLUMNS = ("job", "contacts", "÷ floor", "CPU s", "floor s", "whole s", "floor whole s", "peak MB", "floor MB", "calls", "fewest", "again")


def row(result: Result) -> tuple[str, ...]:
    """One result, column by column."""
    cpu = (result.engine_s, result.floor_s, result.engine_whole_s, result.floor_whole_s)
    memory = (f"{result.engine_mb:.0f}", f"{result.floor_mb:.0f}" if result.floor_mb else "")
    calls = (str(result.calls), str(result.bound), "" if result.again_calls is None else str(result.again_calls))
    return result.workload, f"{result.size:,}", f"{result.ratio:.2f}", *(f"{of:.3f}" for of in cpu), *memory, *calls


def show(results: Sequence[Result], goals: Sequence[Goal], console: Console) -> None:
    """The table, what went wrong, and each goal with PASS or FAIL."""
    table = Table(box=SIMPLE, padding=0)
    for column in COLUMNS:
        table.add_column(column.replace(" ", "\n"), justify="right", no_wrap=True)
    for result in results:
        table.add_row(*row(result))
    console.print(table)
    for result in results:
        for problem in result.problems:
            console.print(f"{result.workload} at {result.size:,}: {problem}", style="red", markup=False)
    for goal in goals:
        verdict = "[green]PASS[/]" if goal.met else "[red]FAIL[/]"
        console.print(f"{verdict} {goal.what}: {goal.measured:.2f} (at most {goal.limit:g})", highlight=False)


def as_json(results: Sequence[Result], goals: Sequence[Goal]) -> str:
    told = {"results": [asdict(r) for r in results], "goals": [asdict(g) | {"met": g.met} for g in goals]}
    return json.dumps(told, indent=2)


def write_docs(results: Sequence[Result], goals: Sequence[Goal], path: Path = DOCS) -> None:
    """Put the results between the two marks of the page; the rest of it stays. Raises ValueError when a mark is missing."""
    text = path.read_text(encoding="utf-8")
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    path.write_text(f"{text[:start]}\n\n{_section(results, goals)}\n{text[stop:]}", encoding="utf-8")


def _section(results: Sequence[Result], goals: Sequence[Goal]) -> str:
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS)), *(_line(row(result)) for result in results)]
    missed = [f"- missed: {goal.what} is {goal.measured:.2f}, and may be {goal.limit:g}" for goal in goals if not goal.met]
    rounds = ", ".join(f"{size:,} contacts: {n}" for size, n in sorted({r.size: r.rounds for r in results}.items()))
    when = (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.system()} {platform.machine()}; rounds at {rounds}."
    )
    verdict = f"{sum(goal.met for goal in goals)} of {len(goals)} goals met."
    return "\n".join([when, "", *lines, "", verdict, *missed, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
