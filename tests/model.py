"""python -m tests.model [--minutes M] [--jobs J] [--seed S] [--depth D] [--json]: the bounded model, and its paths in the real engine.

First every state within D events; then, until the time is up, whole histories of the model from seed S on, every promise asked in every
state of each, and the same history walked by the engine, which must end where the model ends. Ends with 1, and names the path, when it does
not.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

KERNEL_TESTS = str(Path(__file__).resolve().parent / "kernel")
STEPS = 14
"""Events of one history: all that may happen, and rounds between."""

BATCH = 20


class Sum(NamedTuple):
    """`states` of the model in which every promise was asked; `paths` that the engine has walked; `broken`: what went wrong, by path."""

    states: int = 0
    paths: int = 0
    broken: tuple[str, ...] = ()

    def plus(self, more: Sum) -> Sum:
        return Sum(self.states + more.states, self.paths + more.paths, self.broken + more.broken)


def searched(depth: int) -> Sum:
    """Every state within `depth` events, and every path that leads on to nothing new walked by the engine too, up to a thousand of them."""
    sys.path.insert(0, KERNEL_TESTS)
    from kernel_modules import real
    from model_check import explore

    try:
        states, ends = explore(real(), depth)
    except AssertionError as error:
        return Sum(broken=(str(error),))
    chosen = ends[:: max(1, len(ends) // 1000)]
    return Sum(states).plus(_walked(chosen, "end"))


def histories(first: int) -> Sum:
    """A batch of whole histories, from that seed on."""
    sys.path.insert(0, KERNEL_TESTS)
    from kernel_modules import real
    from model_check import walk

    total, paths = Sum(), []
    for seed in range(first, first + BATCH):
        try:
            paths.append(walk(real(), seed, STEPS))
            total = total.plus(Sum(STEPS))
        except AssertionError as error:
            total = total.plus(Sum(broken=(f"seed {seed}: {error}",)))
    return total.plus(_walked(paths, str(first)))


def _walked(paths: list[tuple[str, ...]], name: str) -> Sum:
    from kernel_modules import real
    from model_check import replayed
    from model_replay import Replay, modelled_truth

    broken = []
    for number, path in enumerate(paths):
        try:
            if Replay(path, f"{name}-{number}").truth() != modelled_truth(replayed(real(), path)):
                broken.append(f"the engine ends elsewhere: {path}")
        except Exception as error:  # noqa: BLE001 - whatever it is, no path may end in a traceback
            broken.append(f"{path}: {type(error).__name__}: {error}")
    return Sum(0, len(paths), tuple(broken))


def main() -> int:
    """0 when every promise held and the engine ended where the model does."""
    options = _options()
    console, began = Console(stderr=options.json), time.monotonic()
    until = began + options.minutes * 60
    total = Sum()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"every state within {options.depth} events", total=None)
        for done in _sums(options, until):
            total = total.plus(done)
            progress.update(
                task, description=f"{total.states} states, {total.paths} paths from seed {options.seed}, {len(total.broken)} broken"
            )
    for text in total.broken[:5]:
        console.print(text, style="red", markup=False, highlight=False)
    figures = total._asdict() | {"seed": options.seed, "seconds": round(time.monotonic() - began, 1)}
    console.print(f"model: {total.states} states, {total.paths} paths walked by the engine, {len(total.broken)} broken", highlight=False)
    if options.json:
        print(json.dumps(figures))
    return 1 if total.broken else 0


def _sums(options: argparse.Namespace, until: float) -> Iterator[Sum]:
    firsts = count(options.seed, BATCH)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        whole = pool.submit(searched, options.depth)
        while time.monotonic() < until:
            yield from pool.map(histories, islice(firsts, options.jobs))
        yield whole.result()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0: one a core")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="of the first whole history; a fresh one unless given")
    parser.add_argument("--depth", type=int, default=3, help="events within which every state is searched; 4 takes about a minute")
    parser.add_argument("--json", action="store_true", help="the sums as JSON on standard output")
    options = parser.parse_args()
    options.jobs = options.jobs or os.cpu_count() or 1
    return options


if __name__ == "__main__":
    sys.exit(main())
