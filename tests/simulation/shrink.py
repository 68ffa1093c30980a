"""A failing history made small: steps are left out, in ever smaller groups, for as long as the same invariant still breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.simulation.history import SEEDS, History, Step
from tests.simulation.play import play

ENOUGH_S = 40.0


def shrink(history: History, invariant: str, limit_s: float = ENOUGH_S) -> History:
    """The smallest history found within the time. Leaving out a step shifts what is drawn later, so each try is played in full."""
    until = time.monotonic() + limit_s

    def fails(steps: Sequence[Step]) -> bool:
        return time.monotonic() < until and invariant in play(replace(history, steps=tuple(steps))).broken

    steps = list(history.steps)
    size = len(steps) // 2
    while size:
        smaller = _without(steps, size, fails)
        size = size // 2 if len(smaller) == len(steps) and size == 1 else max(1, size // 2) if size > 1 else int(len(smaller) < len(steps))
        steps = smaller
    return replace(history, steps=tuple(steps))


def _without(steps: list[Step], size: int, fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    at = 0
    while at < len(steps):
        fewer = steps[:at] + steps[at + size :]
        if fails(fewer):
            steps = fewer
        else:
            at += size
    return steps


def save(history: History, invariant: str, limit_s: float = ENOUGH_S) -> str:
    """Shrinks a history and keeps it among the seeds; returns the file's name."""
    small = shrink(history, invariant, limit_s)
    path = SEEDS / f"{invariant}-{history.seed}.json"
    path.write_text(small.text(), encoding="utf-8")
    return path.name
