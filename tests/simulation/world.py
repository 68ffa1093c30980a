"""Both vendors, the clock and the engine: what each step of a history does. Time passes with every call; nothing else is left to chance.

In the middle of a round, at the boundary of a call, people go on editing, another engine starts, or this one dies. They never edit between
a vendor's answer to our last look and our write, where it gives us no means to notice. One that takes conditional writes has none such.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flows.round import LEASE_TTL_US, Kind, Report, run_round
from flows.settings import Context
from mappings.load import LoadedMapping
from state.store import Store
from syncline.errors import LockHeld
from syncline.records import SIDES, Side
from tests.simulation import befalls, people
from tests.simulation.judge_births import whose
from tests.simulation.mapping import loaded
from tests.simulation.port import Fault, Port
from tests.simulation.profiles import PROFILES, sized
from tests.simulation.scratch import empty_database, scratch
from tests.simulation.vendor import Vendor

Step = Mapping[str, Any]
START_US = 1_700_000_000_000_000
S = 1_000_000
PEOPLE_TAKE_S = 10
ANCHOR = 1000
"""A person whom nobody touches, so that no side is ever truly empty: a run that finds one empty waits until it is not."""
ON_DISK = ("", "-wal")
SWEPT = {"permission lost", "vendor restored", "part", "empty", "database restored", "stale"}
"""Faults after which only a sweep can know everything."""


class Crash(BaseException):
    """This program dies here: whatever it would still write does not reach the disk."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: which, and what was seen."""

    invariant: str
    text: str


@dataclass(slots=True)
class Later:
    """A step for the middle of the next round, `calls` boundaries from its start."""

    step: Step
    calls: int


@dataclass(slots=True)
class Stages:
    """A round's progress, so that the world knows where in the round it is."""

    now: str = ""

    def stage(self, name: str, total: int | None = None) -> None:
        self.now = name

    def advance(self, count: int) -> None:
        """Nothing to show."""


class World:
    """Made from a history's set-up; `do` carries out one step. `on_call`: called at every boundary, for whoever counts them."""

    def __init__(self, setup: Mapping[str, Any], seed: str) -> None:
        self.setup, self.now_us = setup, START_US
        self.rng, self.secrets = random.Random(f"{seed}:world"), random.Random(f"{seed}:secrets")
        self.vendors: dict[Side, Vendor] = {}
        for side in SIDES:
            own = setup[side]
            profile = sized(PROFILES[own["profile"]], **own["sizes"]) if "sizes" in own else PROFILES[own["profile"]]
            self.vendors[side] = Vendor(side, profile, own["habits"], own["offset_s"] * S, lambda: self.now_us, seed)
        self.variant: int = setup["variant"]
        self.faults: dict[Side, list[Fault]] = {side: [] for side in SIDES}
        self.hidden: dict[Side, set[str]] = {side: set() for side in SIDES}
        self.injected: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.reports: list[Report] = []
        self.overtaken = False
        """Since the last report a round has died, or the mapping or the database is another: what it asked may be nobody's question now."""
        self.heard: list[tuple[int, int]] = []
        """When rounds that read both sides whole began and ended."""
        self.approved: set[int] = set()
        self.old_logs: list[str] = []
        self.on_call: Callable[[Side, str, str], None] = lambda side, op, moment: None
        self.folder = scratch() / f"{seed}-{id(self):x}"
        self.folder.mkdir()
        self.database = self.folder / "state.sqlite"
        shutil.copy(empty_database(), self.database)
        self.context: Context | None = None
        self.later: list[Later] = []
        self.stages = Stages()
        self._nested = False
        self._last = ("", "")
        self.usurped: dict[Side, int] | None = None
        self.calls: Counter[tuple[Side, str]] = Counter()
        """Calls of this round, by side and operation."""
        for vendor in self.vendors.values():
            vendor.create(ANCHOR, {"email": "anchor@people.example"}, "people")
        self.restored_database = False
        self.spoilt_us = self.swept_us = 0
        """When a fault last happened that only a sweep can mend, and when the last whole sweep began."""
        self.began_us = 0
        self._resumes = False
        """Whether the next sweep only goes on where one has stopped: what that one saw go back, it does not look at again."""
        self.lost: list[tuple[int, int]] = []
        """When the databases were saved and restored whose log of the time between is gone."""
        self.saved_us = 0

    def close(self) -> None:
        """Nothing stays."""
        self.drop_context()
        shutil.rmtree(self.folder, ignore_errors=True)

    def broken(self, invariant: str, text: str) -> None:
        self.violations.append(Violation(invariant, text))

    # ---- the engine

    def open(self) -> Context:
        """A fresh program: mapping, database, connectors."""
        rules = self.rules()
        store = Store.open(f"sqlite:///{self.database}")
        ports = {side: self._port(side) for side in SIDES}
        sync = store.sync(rules.model.name, bytes(32))
        return Context(rules, store, sync, ports, clock=lambda: self.now_us, random_bytes=self.secrets.randbytes, in_turn=True)

    def rules(self) -> LoadedMapping:
        """The mapping as it is now."""
        crm, marketing = (self.vendors[side].profile.name for side in SIDES)
        return loaded(crm, marketing, self.variant, bool(self.setup.get("tight")))

    def _port(self, side: Side) -> Port:
        return Port(self.vendors[side], self._boundary, self.faults[side], self.hidden[side], self.happened, partial(whose, self))

    def happened(self, kind: str) -> None:
        self.injected[kind] += 1
        if kind in SWEPT:
            self.spoilt_us = self.now_us

    def engine(self) -> Context:
        self.context = self.context or self.open()
        return self.context

    def drop_context(self) -> None:
        if self.context is not None:
            self.context.close()
            self.context = None

    def round(self, kind: Kind, approve: int | None = None) -> Report | None:
        """One round; None when the program died in it."""
        context, self.stages.now, self._last = self.engine(), "", ("", "")
        began_us = self.began_us = self.now_us
        self.calls.clear()
        try:
            report = run_round(context, kind, approve=approve, progress=self.stages)
        except Crash:
            self._resumes = True
            self._reborn()
            return None
        finally:
            self.later.clear()
        if approve is not None:
            self.approved |= {approve, report.run_id}
        self.reports.append(report)
        self.overtaken = False
        if kind == "sweep":
            self.swept_us = began_us if report.error is None and not self._resumes else self.swept_us
            self._resumes = report.error is not None
        if report.error is None and report.observed:  # a retry polls nobody, nor does a round that commits an approved plan
            self.heard.append((began_us, self.now_us))
        return report

    def _reborn(self) -> None:
        """What the dying program did to the database after that moment never happened."""
        self.overtaken = True
        for vendor in self.vendors.values():
            vendor.looks = {ref: [look for look in looks if look[0] < self.began_us] for ref, looks in vendor.looks.items()}
            for effect in vendor.effects:
                if effect.engine and effect.op == "create" and effect.at_us == self.now_us:  # its answer died with us
                    vendor.first_shown.pop(effect.ref, None)
        self.drop_context()
        for end in ON_DISK:
            Path(f"{self.database}{end}").unlink(missing_ok=True)
            image = Path(f"{self.folder / 'image'}{end}")
            if image.exists():
                image.rename(f"{self.database}{end}")

    # ---- boundaries

    def _boundary(self, side: Side, op: str, moment: str) -> None:
        if moment == "before":
            self.now_us += 200_000 + self.rng.randrange(800_000)
            self.calls[side, op] += 1
        self.on_call(side, op, moment)
        if self._nested:
            return
        for later in tuple(self.later):
            later.calls -= moment == "before"
            if later.calls <= 0 and self._may(later.step, side, op, moment):
                self.later.remove(later)
                self._meanwhile(later.step)
        self._last = (side, op)

    def _may(self, step: Step, side: Side, op: str, moment: str) -> bool:
        """Whether this can happen at this moment without being more than any engine could notice."""
        if step["do"] == "crash":
            return bool(step["moment"] == moment)
        if step["do"] == "rival":
            return (op == "push") == (moment == "after")
        if self._last[0] == step["side"] and self._last[1] == "push" and op == "read":
            return False  # the echo that the vendor did not give: nobody can tell an edit in it from what the vendor made of our value
        if step["side"] != side or self.vendors[side].profile.capabilities.recheck == "conditional":
            return moment == "before"
        polled = op == "read" and self.vendors[side].profile.capabilities.recheck == "delta_poll"  # its look was the poll before that
        looking = op == "push" or (self.stages.now == "push" and (op == "find" or polled or self._last == (side, op)))
        return moment == "before" and not looking

    def _meanwhile(self, step: Step) -> None:
        self.injected["mid-" + step["do"]] += 1
        if step["do"] == "crash":
            for end in ON_DISK:
                part = Path(f"{self.database}{end}")
                if part.exists():
                    shutil.copy(part, f"{self.folder / 'image'}{end}")
            raise Crash
        if step["do"] == "rival":
            self._rival(step["leap"])
        else:
            people.act(self, step)
            self.now_us += PEOPLE_TAKE_S * S

    def _rival(self, leap: bool) -> None:
        """Another program starts now. While our lease lasts it must not get in; when it has run out, it takes over, and we are done."""
        self.now_us += LEASE_TTL_US + S if leap else 0
        self._nested = True
        context = self.open()
        try:
            report = run_round(context, "sync")
        finally:
            context.close()
            self._nested = False
        refused = isinstance(report.error, LockHeld)
        if refused == leap:
            self.broken("I-lease", f"a second engine, {'after' if leap else 'within'} the lease, ended with {report.error!r}")
        if not leap:
            return
        self.reports.append(report)
        at = {side: len(vendor.effects) for side, vendor in self.vendors.items()}
        self.usurped = at

    # ---- steps

    def do(self, step: Step) -> None:
        """One step of a history. What has nothing to act on does nothing, so that any step may be left out."""
        kind = step["do"]
        if kind in people.ACTS:
            self.now_us += (1 + self.rng.randrange(PEOPLE_TAKE_S)) * S + self.rng.randrange(S)
            people.act(self, step)
        elif kind == "round":
            self._round(step)
        elif kind in ("mid", "crash", "rival"):
            self.later.append(Later(step["step"] if kind == "mid" else step, step["calls"]))
        else:
            befalls.STEPS[kind](self, step)

    def _round(self, step: Step) -> None:
        self.usurped = None
        report = self.round(step["kind"])
        if self.usurped is not None:
            for side, at in self.usurped.items():
                late = [effect for effect in self.vendors[side].effects[at:] if effect.engine]
                if late:
                    self.broken("I-lease", f"the engine that lost its lease still wrote {late[0]}")
            if report is not None and report.error is None:
                self.broken("I-lease", f"the engine that lost its lease ended with {report.error!r}")

    # ---- looking

    def log_text(self) -> str:
        """Everything the log says, as one text in which marks are looked for."""
        return "\n".join(f"{row.entry.old} {row.entry.new}" for row in self.engine().sync.entries()).lower()
