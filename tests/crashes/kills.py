"""Real processes ended by SIGKILL: `python -m tests.crashes.kills --kills 1000 --seed 1 [--minutes M] [--postgres SHARE] [--json]`.

Each seed is one history (see `histories`), played once without a crash and then several times with: the process that runs our rounds is
killed at a numbered boundary of its own, or from outside at any moment; what an operator would start next may be killed too. In the end the
twins' true state, every effect we had on them, and the folded log must be those of the run without a crash. Ends with 1 when they are not.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import flows.reconcile
import flows.settings
from sandbox.handles import Twins
from sandbox.serve import start_twins
from tests.crashes.deaths import Course, Failed, Hit, drawn, killed, undisturbed
from tests.crashes.histories import Act, history
from tests.crashes.people import play
from tests.crashes.truth import Facts, differences, facts, folded
from tests.databases import postgres, schema
from tests.e2e.crash_history import CRM_OWN, MARKETING_OWN, creates, end_state, rest
from tests.e2e.world import World

TRIALS = 6
"""How often a history is played with crashes, once its end without one is known."""

DEATHS = (0, 1, 1, 1, 2, 3)
"""How many processes die in one act."""

LONG_S = 3600
POSTGRES_SHARE = 0.3
SMALL_CHUNK = 3
"""Contacts to a chunk of a plan, so that small histories have several."""


@dataclass(slots=True)
class Tally:
    """What was done and seen. `violations`: one text each, with its seed and the deaths before it."""

    seed: int
    next_seed: int = 0
    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def killed(self) -> int:
        return self.kills.total()


@dataclass(frozen=True, slots=True)
class Ground:
    """Where histories are played: running twins, a folder, and (when some are to be played on Postgres) a server."""

    twins: Twins
    folder: Path
    postgres_uri: str | None = None

    @contextmanager
    def world(self, on_postgres: bool) -> Iterator[World]:
        """Empty twins and an empty database."""
        self.twins.hubspot.reset()
        self.twins.mailchimp.reset()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        if on_postgres and self.postgres_uri:
            with schema(self.postgres_uri, f"crash_{time.monotonic_ns()}") as url:
                yield World(self.twins, self.folder, url)
        else:
            yield World(self.twins, self.folder)


@contextmanager
def ground(share: float = POSTGRES_SHARE) -> Iterator[Ground]:
    """Twins in a process of their own, for this one forks. The mapping is read once: a history opens it a dozen times."""
    memory = Path("/dev/shm")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)))
        stack.enter_context(patch.object(flows.settings, "load", functools.cache(flows.settings.load)))
        stack.enter_context(patch.object(flows.reconcile, "CHUNK", SMALL_CHUNK))
        twins = stack.enter_context(start_twins(rate=False, apart=True))
        uri = stack.enter_context(postgres(folder / "pg")) if share else None
        yield Ground(twins, folder / "world", uri)


# ---------------------------------------------------------------- one history


def without_crash(world: World, acts: tuple[Act, ...]) -> tuple[Facts, list[Course]]:
    """The end that must always be reached, and what each act passes through."""
    courses, found = list[Course](), dict[str, Counter[str]]()
    for number, act in enumerate(acts):
        _people(world, act)
        courses.append(undisturbed(world, act.rounds))
        found |= _sides(world, f"after act {number}")
    return found | _end(world), courses


def with_crashes(world: World, acts: tuple[Act, ...], courses: list[Course], rng: random.Random) -> tuple[Facts, list[Hit]]:
    """The same history; the processes that run our rounds die now and then, and are started again."""
    hits, found = list[Hit](), dict[str, Counter[str]]()
    for number, (act, course) in enumerate(zip(acts, courses, strict=True)):
        _people(world, act)
        for _ in range(rng.choice(DEATHS)):
            hit = killed(world, act.rounds, number, drawn(rng, course))
            if hit is None:
                break
            hits.append(hit)
        else:
            undisturbed(world, act.rounds)
        found |= _sides(world, f"after act {number}")
    return found | _end(world), hits


def _people(world: World, act: Act) -> None:
    """Our rounds come long after what people did: no overlap of polls makes up for a cursor that was saved too early."""
    for order in act.orders:
        play(world, order)
    world.later(LONG_S)


def _end(world: World) -> dict[str, Counter[str]]:
    """Rest, check what needs no comparison, and take down the rest."""
    rest(world)
    world.verified()
    with world.context() as context:
        rows = list(context.sync.entries())
        assert context.sync.outbox_size() == 0, "the outbox is not empty"
        assert [row.seq for row in rows if row.result == "pending"] == [], "entries wait for a receipt for ever"
    return _sides(world, "at rest") | {
        "created": facts(creates(world).items()),
        "effects": _effects(world),
        "log": folded(row.entry for row in rows),
    }


def _sides(world: World, when: str) -> dict[str, Counter[str]]:
    state = end_state(world)
    state["marketing"] = [_buried(member) for member in state["marketing"]]
    return {f"{name} {when}": facts(some) for name, some in state.items()}


def _buried(member: dict[str, Any]) -> dict[str, Any]:
    """A member archived since the last sweep may or may not be written once more: only who looks by id knows that it is."""
    return member if member["state"] == "live" else {"state": member["state"]}


def _effects(world: World) -> Counter[str]:
    """Everything we ever changed on both sides, each as often as it was changed; but for members in the archive."""
    told = []
    for name, twin in (("crm", world.crm), ("marketing", world.marketing)):
        buried: dict[str, bool] = {}
        for effect in twin.effects():
            who = effect.get("contact_id", effect["id"])
            if effect["field"] == "status":
                buried[who] = effect["after"] == "archived"
            if effect["actor"] == "api" and (effect["field"] == "status" or not buried.get(who)):
                told.append([name, effect["op"], effect["field"], _lasting(effect["after"])])
    return facts(told)


def _lasting(after: Any) -> Any:
    """Without ids and times."""
    return {k: v for k, v in after.items() if k not in CRM_OWN + MARKETING_OWN} if isinstance(after, dict) else after


# ---------------------------------------------------------------- many histories


def try_history(place: Ground, seed: int, on_postgres: bool, tally: Tally, trials: int = TRIALS) -> Iterator[int]:
    """Play one history without a crash and `trials` times with; gives how many processes each of those lost."""
    acts = history(seed)
    with place.world(on_postgres) as world:
        expected, courses = without_crash(world, acts)
    for trial in range(trials):
        rng, hits = random.Random(f"kills {seed} {trial}"), list[Hit]()
        try:
            with place.world(on_postgres) as world:
                found, hits = with_crashes(world, acts, courses, rng)
            wrong = differences(expected, found)
        except (AssertionError, Failed) as failure:
            wrong = [str(failure)]
        _count(tally, seed, trial, on_postgres, hits, wrong)
        yield len(hits)


def _count(tally: Tally, seed: int, trial: int, on_postgres: bool, hits: list[Hit], wrong: list[str]) -> None:
    database = "postgres" if on_postgres else "sqlite"
    tally.runs += 1
    tally.kills[database] += len(hits)
    tally.places.update(hit.kind for hit in hits)
    if wrong:
        deaths = "; ".join(map(str, hits))
        tally.violations.append("\n  ".join([f"seed {seed}, trial {trial}, {database}, killed in {deaths}", *wrong]))


def on_postgres(seed: int, share: float) -> bool:
    """Whether this seed is played on Postgres: evenly spread, and the same in every run."""
    return int((seed + 1) * share) > int(seed * share)


def sample(kills: int, seed: int, minutes: float | None = None, share: float = POSTGRES_SHARE, progress: Progress | None = None) -> Tally:
    """Histories from `seed` on, until so many processes were killed or the time is up."""
    tally, began = Tally(seed, seed), time.monotonic()
    task = progress.add_task("kills", total=kills) if progress else None
    with ground(share) as place:
        for lost in _all(place, tally, share):
            tally.seconds = time.monotonic() - began
            if progress and task is not None:
                progress.update(task, advance=lost, description=f"seed {tally.next_seed}, {len(tally.violations)} violations", refresh=True)
            if tally.killed >= kills or (minutes and tally.seconds > minutes * 60):
                break
    return tally


def _all(place: Ground, tally: Tally, share: float) -> Iterator[int]:
    while True:
        yield from try_history(place, tally.next_seed, on_postgres(tally.next_seed, share), tally)
        tally.next_seed += 1


# ---------------------------------------------------------------- the command


def show(tally: Tally, console: Console) -> None:
    """Where the processes died, and what was wrong afterwards."""
    table = Table("killed", "processes", title=f"{tally.killed} kill -9 in {tally.runs} runs, {tally.seconds:.0f} s")
    for place, count in sorted(tally.places.items()):
        table.add_row(place, str(count))
    console.print(table)
    console.print(f"seeds {tally.seed} to {tally.next_seed}; {dict(tally.kills)}; violations: {len(tally.violations)}")
    for violation in tally.violations:
        console.print(violation, style="red", markup=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crashes.kills", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--postgres", type=float, default=POSTGRES_SHARE, help="share of the histories played on Postgres")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, auto_refresh=False) as progress:  # a thread of its own would be lost in forks
        tally = sample(asked.kills, asked.seed, asked.minutes, asked.postgres, progress)
    show(tally, console)
    if asked.json:
        print(json.dumps({each.name: getattr(tally, each.name) for each in fields(tally)} | {"killed": tally.killed}))
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
