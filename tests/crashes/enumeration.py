"""A crash at every boundary of a scripted history, and for short ones at every pair: `enumerate_crashes(seed)`.

The history is played once without a crash; what is there before each of our parts is kept. From there each part is played again and again,
dying at one boundary after the other; then an operator starts anew (and dies again, for pairs), and the history goes on to its end.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any

from syncline.records import SIDES
from tests.crashes.doomed import Doomed, Image, Stuck
from tests.crashes.histories import Act, Size, history
from tests.crashes.simulated import end, sides
from tests.crashes.truth import Facts, differences
from tests.simulation.mapping import VARIANTS
from tests.simulation.profiles import PAIRS

FIELDS = ("first", "last", "city", "note", "company", "source", "phone", "birthday", "stage", "tags")
SMALL = Size(people=(2, 4), acts=(1, 3), orders=(1, 5), fields=FIELDS, rounds=(("sync",), ("sync",), ("sweep",)))
SHORT = 40
"""Histories with fewer boundaries are also tried with a second crash while recovering from the first."""


@dataclass(slots=True)
class Outcome:
    """`points`: crashes tried; `boundaries`: by kind; `pairs`: second crashes; `whole`: nothing was left out for want of time."""

    seed: int
    points: int = 0
    pairs: int = 0
    boundaries: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    whole: bool = True
    seconds: float = 0.0


def enumerate_crashes(
    seed: int, pairs: int = 1, until: float | None = None, patience: int | None = None, interrupted: bool = False
) -> Outcome:
    """Try every crash of one history.

    `pairs`: in short ones also every n-th second crash (0: none). `interrupted`: the program may still clean up. No further crash is tried
    after the time `until` (as `time.monotonic` tells it), nor after as many violations as there is `patience` for.
    """
    began = time.monotonic()
    world = Doomed(setup(seed), f"crash-{seed}", interrupted)
    try:
        outcome = _Enumeration(world, history(seed, SMALL), seed, until, patience).run(pairs)
    finally:
        world.close()
    outcome.seconds = time.monotonic() - began
    return outcome


def setup(seed: int) -> dict[str, object]:
    """Which vendors, how wrong their clocks are, and the variant of the mapping. They keep what they are sent as it is: of a value that was
    changed on its way in, and whose answer was lost, nobody can know whether it is ours or somebody's edit.
    """
    rng = random.Random(f"crash {seed}")
    own = {
        side: {"profile": profile, "habits": {}, "offset_s": rng.choice((0, 0, -420, 90))}
        for side, profile in zip(SIDES, PAIRS[seed % len(PAIRS)], strict=True)
    }
    return {"variant": rng.randrange(VARIANTS), **own}


class _Enumeration:
    """One history. `before`: what was there before each of our parts; `courses`: the boundaries of each; `ends`: what each came to."""

    def __init__(self, world: Doomed, acts: tuple[Act, ...], seed: int, until: float | None, patience: int | None) -> None:
        self.world, self.acts, self.until, self.patience = world, acts, until, patience
        self.outcome = Outcome(seed)
        self.before: list[Image] = []
        self.courses: list[list[str]] = []
        self.ends: list[Facts] = []

    def run(self, pairs: int) -> Outcome:
        try:
            self._without_crash()
        except Stuck as stuck:
            self.outcome.violations.append(f"seed {self.outcome.seed}, without a crash: {stuck}")
            return self.outcome
        self.outcome.boundaries.update(name for course in self.courses for name in course)
        pairs = pairs if self.outcome.boundaries.total() < SHORT else 0
        for number, course in enumerate(self.courses):
            for at in range(1, len(course) + 1):
                if self._enough():
                    self.outcome.whole = False
                    return self.outcome
                self._crash(number, at, pairs)
        return self.outcome

    def _enough(self) -> bool:
        late = self.until is not None and time.monotonic() > self.until
        return late or (self.patience is not None and len(self.outcome.violations) >= self.patience)

    def _without_crash(self) -> None:
        for number, act in enumerate(self.acts):
            self.world.people_do(act)
            self.before.append(self.world.image())
            self.world.our_part(act)
            self.courses.append(list(self.world.passed))
            self.ends.append(self._end(number))

    def _crash(self, number: int, at: int, pairs: int) -> None:
        """Die there, once; then also at boundaries of the recovery."""
        self.world.restore(self.before[number])
        where = f"act {number}, boundary {at} ({self.courses[number][at - 1]})"
        if self.world.our_part(self.acts[number], at):
            self.outcome.violations.append(f"seed {self.outcome.seed}, {where}: was not reached the second time")
            return
        after = self.world.image()
        self.outcome.points += 1
        recovery = self._go_on(number, where)
        for again in range(1 + at % pairs, len(recovery) + 1, pairs) if pairs else ():
            self.world.restore(after)
            if not self.world.our_part(self.acts[number], again):
                self.outcome.pairs += 1
                self._go_on(number, f"{where}, then boundary {again} ({recovery[again - 1]}) of the recovery")

    def _go_on(self, number: int, where: str) -> list[str]:
        """What an operator starts next, and the rest of the history. Returns the boundaries of the recovery."""
        recovery: list[str] = []
        try:
            for later, act in enumerate(self.acts[number:], number):
                if later > number:
                    self.world.people_do(act)
                self.world.our_part(act)
                recovery = recovery or self.world.passed
                wrong = differences(self.ends[later], self._end(later))
                if wrong:
                    raise Stuck("\n    ".join([f"after act {later}", *wrong]))
        except Stuck as stuck:
            self.outcome.violations.append(f"seed {self.outcome.seed}, {where}: {stuck}")
        return recovery

    def _end(self, number: int) -> Facts:
        if number < len(self.acts) - 1:
            return sides(self.world)
        self.world.settle("sweep")
        return end(self.world)


def enumerate_all(seeds: range, jobs: int, until: float | None, **how: Any) -> Iterator[Outcome]:
    """Outcomes as they come; histories for which there is no time are left out. `how`: what `enumerate_crashes` is told."""
    one = partial(_unless_late, until=until, **how)
    if jobs == 1:
        yield from filter(None, map(one, seeds))
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from filter(None, pool.imap_unordered(one, seeds))


def _unless_late(seed: int, until: float | None, **how: Any) -> Outcome | None:
    return None if until is not None and time.monotonic() > until else enumerate_crashes(seed, until=until, **how)
