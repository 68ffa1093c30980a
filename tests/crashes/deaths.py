"""Our rounds in a child process, and how it dies: by itself at a numbered boundary, or from outside at any moment."""

from __future__ import annotations

import random
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from flows.round import LEASE_TTL_S, Kind
from tests.e2e.crash_child import Boundaries, Trace, forked
from tests.e2e.world import World

KILLED = -9


class Failed(Exception):
    """A child that was not killed ended badly; its traceback."""


class Course(NamedTuple):
    """One act's rounds when nobody disturbs them: the boundaries they pass through, and how long they take."""

    boundaries: list[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Death:
    """At boundary `at` (counted from 1), or, when that is 0, `after_s` seconds after the start."""

    at: int = 0
    after_s: float = 0.0

    def __str__(self) -> str:
        return f"boundary {self.at}" if self.at else f"{self.after_s * 1000:.0f} ms"


@dataclass(frozen=True, slots=True)
class Hit:
    """A process that died in act `act`. `place`: the last boundary that it had passed, or that it died at."""

    act: int
    death: Death
    place: str

    @property
    def kind(self) -> str:
        """The place without its address, to be counted."""
        return f"at: {kind(self.place)}" if self.death.at else f"some time after: {kind(self.place)}"

    def __str__(self) -> str:
        return f"act {self.act}, {self.death} ({self.place})"


def kind(place: str) -> str:
    """A boundary without its address: before POST, after commit."""
    return " ".join(place.split()[:2])


def drawn(rng: random.Random, course: Course) -> Death:
    """A death somewhere on this course: at any moment, or at a boundary, each kind of boundary as likely as the others."""
    if rng.random() < 0.5:
        return Death(after_s=rng.uniform(0, course.seconds))
    chosen = rng.choice(sorted({kind(name) for name in course.boundaries}))
    return Death(at=rng.choice([number for number, name in enumerate(course.boundaries, 1) if kind(name) == chosen]))


def undisturbed(world: World, rounds: tuple[Kind, ...]) -> Course:
    """Run the rounds of an act to their end."""
    began = time.perf_counter()
    _child(world, rounds, Death(), Trace())
    return Course(_passed(world).read_text().splitlines(), time.perf_counter() - began)


def _passed(world: World) -> Path:
    return world.folder / "passed"


def killed(world: World, rounds: tuple[Kind, ...], act: int, death: Death) -> Hit | None:
    """Run the rounds in a child that shall die so, then let its lease run out. None: it was done before."""
    trace = Trace()
    code = _child(world, rounds, death, trace)
    if code == 0:
        return None
    world.shift_s += LEASE_TTL_S + 1
    for twin in (world.crm, world.marketing):
        twin.calls()  # answered only after what the dead one had already sent
    return Hit(act, death, trace.told()[1])


def _child(world: World, rounds: tuple[Kind, ...], death: Death, trace: Trace) -> int:
    failure = world.folder / "failure"

    def run() -> None:
        boundaries = Boundaries(death.at, trace)
        boundaries.install()
        try:
            for kind in rounds:
                report = world.sync(kind)
                if report.error is not None:
                    raise Failed(f"{kind}: {report.error}")
            world.settle()  # people go on when both sides are in step: else a second try alone could make a difference
            _passed(world).write_text("\n".join(boundaries.names))
        except BaseException:
            failure.write_text(traceback.format_exc())
            raise

    code = forked(run, killed_after_s=None if death.at or not death.after_s else death.after_s)
    if code not in (0, KILLED):
        raise Failed(failure.read_text())
    return code
