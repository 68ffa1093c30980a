"""The workloads W0–W4: bring both sides into a known state, let the engine and the floor do the same work, check that it was done.

A workload is a function of a `Bench` that returns a `Sample`. They may run in any choice; each brings about the state it needs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from benchmarks.measure import Cost, cost
from benchmarks.world import Calls, World

CRM_PAGE, CRM_SEARCH_PAGE, MEMBERS_PAGE, MEMBERS_BATCH = 100, 200, 1000, 500
PLAIN_START = ["-c", "import requests, json, sqlite3"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One workload, once. `bound`: the fewest calls the vendors' pages and batches allow, with one look again a batch of overwrites.
    `again`: the calls of a second run with no edits in between. `problems`: what was not done right."""

    workload: str
    floor: Cost
    engine: Cost
    calls: Calls
    bound: int
    again: Calls | None = None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Bench:
    """Twins of one size, and the engine's folder of this round once both sides are linked in it."""

    world: World
    work: Path
    linked: Path | None = None
    edits: int = field(default=0)

    @property
    def size(self) -> int:
        return self.world.size

    def folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.work))

    def engine(self, folder: Path, kind: str = "sync") -> Cost:
        return cost(["-m", "benchmarks.engine", str(folder), kind], self.world.environ)

    def floor(self, what: str, *more: str) -> Cost:
        return cost(["-m", "benchmarks.floor", str(self.folder()), what, *more], self.world.environ)

    def new_company(self) -> str:
        """Never the same twice, so that every edit changes something."""
        self.edits += 1
        return f"Rowan & Pike {self.edits}"

    def settled(self) -> Path:
        """A folder whose engine has seen everything, with nothing left in any overlap."""
        if self.linked is None:
            self.world.fill_audience()
            self.linked = self.folder()
            self.engine(self.linked)
        for _ in range(2):
            self.world.later()
            self.engine(self.linked)
        self.world.later()
        return self.linked

    def counted(self, folder: Path, kind: str = "sync") -> tuple[Cost, Calls]:
        self.world.forget_calls()
        ran = self.engine(folder, kind)
        return ran, self.world.calls()

    def problems(self, *rans: Cost, writes: int) -> tuple[str, ...]:
        """What a workload must leave behind: nothing held or failed, just `writes` records written, both sides alike."""
        reports = [ran.told["report"] for ran in rans]
        found = [f"a round ended as {r['status']}: {r['error']}" for r in reports if r["status"] != "in_step"]
        applied = sum(r["pushed"]["applied"] for r in reports)
        found += [f"{applied} records written, {writes} expected"] if applied != writes else []
        differing = self.world.differing()
        return (*found, *([f"{differing} people differ afterwards"] if differing else []))


def start_up(bench: Bench) -> Sample:
    """W0: nothing changed; one call a side."""
    folder = bench.settled()
    floor = cost(PLAIN_START, {})
    engine, calls = bench.counted(folder)
    return Sample("W0", floor, engine, calls, 2, problems=bench.problems(engine, writes=0))


def first_load(bench: Bench) -> Sample:
    """W1: the CRM is full, the audience empty."""
    world = bench.world
    world.empty_audience()
    floor = bench.floor("create")
    world.empty_audience()
    world.later()
    engine, calls = bench.counted(bench.folder())
    bound = ceil(bench.size / CRM_PAGE) + 1 + ceil(bench.size / MEMBERS_BATCH)
    return Sample("W1", floor, engine, calls, bound, problems=bench.problems(engine, writes=bench.size))


def match_and_link(bench: Bench) -> Sample:
    """W2: both sides are full, nobody is linked, one in a hundred differs."""
    world = bench.world
    world.fill_audience()
    world.later()
    world.edit_contacts(company := bench.new_company())
    world.edit_members(f"{company} Ltd")
    world.later()
    floor = bench.floor("read")
    bench.linked = bench.folder()
    engine, calls = bench.counted(bench.linked)
    changed = ceil(bench.size / 100)
    return Sample("W2", floor, engine, calls, _all_pages(bench.size) + _writes(changed), problems=bench.problems(engine, writes=changed))


def delta(bench: Bench) -> Sample:
    """W3: one contact in a hundred changed; then a second run that meets only its own echoes."""
    world, folder = bench.world, bench.settled()
    changed = world.edit_contacts(bench.new_company())
    engine, calls = bench.counted(folder)
    echo, again = bench.counted(folder)
    problems = bench.problems(engine, echo, writes=changed)
    world.later()
    since_ms = world.crm_now_ms()
    world.edit_contacts(bench.new_company())
    floor = bench.floor("delta", str(since_ms))
    bound = _pages(changed) + 1 + _writes(changed)
    return Sample("W3", floor, engine, calls, bound, again, problems)


def sweep(bench: Bench) -> Sample:
    """W4: everything is listed and compared, nothing has changed."""
    folder = bench.settled()
    floor = bench.floor("read")
    engine, calls = bench.counted(folder, "sweep")
    return Sample("W4", floor, engine, calls, _all_pages(bench.size), problems=bench.problems(engine, writes=0))


def echo_bound(size: int) -> int:
    """W3's second run: a poll of each side, with the edits that the overlap shows again and the engine's own writes."""
    changed = ceil(size / 100)
    return _pages(changed) + ceil(changed / MEMBERS_PAGE)


def _all_pages(size: int) -> int:
    return ceil(size / CRM_PAGE) + ceil(size / MEMBERS_PAGE)


def _pages(changed: int) -> int:
    return max(1, ceil(changed / CRM_SEARCH_PAGE))


def _writes(changed: int) -> int:
    """A write and a look before it for every batch."""
    return 2 * ceil(changed / MEMBERS_BATCH)


# In the order of a round: W2 links both sides, and W3, which leaves them changed, comes last.
WORKLOADS: Mapping[str, Callable[[Bench], Sample]] = {
    "W1": first_load,
    "W2": match_and_link,
    "W0": start_up,
    "W4": sweep,
    "W3": delta,
}
