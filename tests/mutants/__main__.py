"""python -m tests.mutants [--jobs J] [--minutes M] [--seed S] [--only KIND] [--json]: every fault must be noticed; 1 when one is not.

With too few minutes for all, those that a shuffled order brings first are tried, and the rest are counted as left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.mutants.engine_faults import ENGINE_FAULTS, ROOT

LONGEST_S = 300
"""A fault that makes a round go on for ever is noticed too."""


class Mutant(NamedTuple):
    kind: str
    number: int
    what: str
    where: str


class Verdict(NamedTuple):
    mutant: Mutant
    noticed_by: str
    seconds: float


def mutants() -> list[Mutant]:
    """All of them: the kernel's and the engine's."""
    sys.path.insert(0, str(ROOT / "tests" / "kernel"))
    from faults import FAULTS

    kernel = [Mutant("kernel", number, what, f"syncline.{module}") for number, (what, module, _, _) in enumerate(FAULTS)]
    return kernel + [Mutant("engine", number, fault.what, fault.module) for number, fault in enumerate(ENGINE_FAULTS)]


def tried(mutant: Mutant) -> Verdict:
    """One fault, in a process of its own."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.mutants.one", mutant.kind, str(mutant.number)]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    try:
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return Verdict(mutant, "it never ends", time.monotonic() - began)
    last = done.stdout.strip().splitlines()[-1:]
    if done.returncode or not last:
        raise RuntimeError(f"{mutant.where}, {mutant.what}: {done.stderr[-2000:]}")
    return Verdict(mutant, json.loads(last[0])["noticed_by"], time.monotonic() - began)


def verdicts(chosen: list[Mutant], jobs: int, until: float | None) -> Iterator[Verdict]:
    """As they come; none is begun after `until`."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(lambda one=one: None if until and time.monotonic() > until else tried(one)) for one in chosen]
        for future in as_completed(waiting):
            verdict = future.result()
            if verdict is not None:
                yield verdict


def main() -> int:
    """0 when every fault that was tried was noticed."""
    options = _options()
    console = Console(stderr=options.json)
    sound = tried(Mutant("none", 0, "no fault at all", "the engine"))
    if sound.noticed_by:
        console.print(f"[red]the sound engine does not get past the battery: {sound.noticed_by}")
        return 2
    chosen = [one for one in mutants() if options.only in (None, one.kind)]
    random.Random(options.seed).shuffle(chosen)
    began, found = time.monotonic(), []
    until = began + options.minutes * 60 if options.minutes else None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"faults, in the order of seed {options.seed}", total=len(chosen))
        for verdict in verdicts(chosen, options.jobs, until):
            found.append(verdict)
            survived = sum(not one.noticed_by for one in found)
            progress.update(task, advance=1, description=f"{len(found) - survived} caught, {survived} survived")
            if not verdict.noticed_by:
                console.print(f"survived: {verdict.mutant.where}: {verdict.mutant.what}", style="red", markup=False)
            elif options.verbose:
                console.print(f"{verdict.seconds:5.1f} s  {verdict.mutant.what}: {verdict.noticed_by}", markup=False, highlight=False)
    return _report(console, options, chosen, found, time.monotonic() - began)


def _report(console: Console, options: argparse.Namespace, chosen: list[Mutant], found: list[Verdict], seconds: float) -> int:
    survived = [f"{one.mutant.where}: {one.mutant.what}" for one in found if not one.noticed_by]
    table = Table("faults", "tried", "caught", "survived", title=f"faults, {seconds:.0f} s, order of seed {options.seed}")
    for kind in ("kernel", "engine"):
        mine = [one for one in found if one.mutant.kind == kind]
        total = sum(one.kind == kind for one in chosen)
        table.add_row(
            f"{total} in the {kind}",
            str(len(mine)),
            str(sum(bool(one.noticed_by) for one in mine)),
            str(sum(not one.noticed_by for one in mine)),
        )
    console.print(table)
    if options.json:
        by = Counter(one.noticed_by.split(" ")[0] for one in found if one.noticed_by)
        figures: dict[str, Any] = {
            "faults": len(chosen), "tried": len(found), "caught": len(found) - len(survived), "survived": survived,
            "noticed_by": dict(by), "seconds": round(seconds, 1), "seed": options.seed,
        }  # fmt: skip
        print(json.dumps(figures))
    return 1 if survived else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0: one a core")
    parser.add_argument("--minutes", type=float, help="begin none after this long")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the order in which they are tried")
    parser.add_argument("--only", choices=("engine", "kernel"))
    parser.add_argument("--json", action="store_true", help="the sums as JSON on standard output")
    parser.add_argument("--verbose", action="store_true", help="say what noticed each fault")
    options = parser.parse_args()
    options.jobs = options.jobs or os.cpu_count() or 1
    return options


if __name__ == "__main__":
    sys.exit(main())
