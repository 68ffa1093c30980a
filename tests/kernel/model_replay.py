"""Paths of the model, walked by the real engine: `run_round` and SQLite, between two simulated vendors that do what the model's do.

The model says in which order people act, which polls are late, and after which write the program dies; the vendors' true records must in
the end be the model's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from late_world import ALL
from model_check import LATE, State
from world import SIDES

from flows.round import LEASE_TTL_US, run_round
from flows.settings import Context
from mappings.load import LoadedMapping, load
from state.store import Store
from syncline.ports import Capabilities, Change, Receipt
from tests.simulation.port import Port
from tests.simulation.profiles import Profile
from tests.simulation.scratch import empty_database, scratch
from tests.simulation.vendor import Rec, Vendor
from tests.simulation.world import Crash, Stages

S = 1_000_000
OVERLAP_S = 30 * 24 * 3600
"""No lease that has to run out, and no pause, is as long."""

FOR_NOW_US = 10**18
"""An index that does not show a version yet."""

WORDS = {"in": "opted_in", "asked": "pending", "bounced": "undeliverable", "out": "opted_out", "none": "unknown"}
MODELLED = Profile(
    "left",
    Capabilities("modified_since", OVERLAP_S, "record", False, "flag", "pointer", "email", 50, 50, "batch_read", can_restore=True),
    lag_s=0,
    page=50,
    words={"out": "out", "silent": "none", "in": "in", "asked": "asked", "bounced": "bounced"},
    shows_dead=True,
)
PROFILES = {"crm": MODELLED, "marketing": replace(MODELLED, name="right")}
MAPPING = f"""
version: 1
name: model
sides: {{crm: {{connector: left, object: people}}, marketing: {{connector: right, object: people}}}}
identity: {{match: [email]}}
policy:
  delete: {{seen_in_crm: archive, seen_in_marketing: unlink}}
  limits: {{deletes: 100, blanks: 100, unsubscribes: 100, overwrites: 100, empty_side: allow}}
fields:
  email: {{crm: email, marketing: email, type: email, required_in: [crm, marketing], conflict: {{rule: prefer, side: crm}}}}
  last: {{crm: last, marketing: last, on_blank: clear, conflict: {{rule: newest, tie: marketing, skew: 0s}}}}
  consent:
    crm: consent
    marketing: consent
    transform: {{consent: {{crm: &words {{{", ".join(f"{word}: {meaning}" for word, meaning in WORDS.items())}}}, marketing: *words}}}}
    conflict: {{rule: most_restrictive, order: [opted_in, pending, undeliverable, opted_out], silent: [unknown]}}
    grant: {{requires: [source, at], writes: pending}}
"""


@cache
def _loaded() -> LoadedMapping:
    path = scratch() / "model.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return load(path)


class _Death(Stages):
    """When the program dies: with the first batch about to be sent, after so many writes, or, below zero, before anything is committed."""

    def __init__(self, replay: Replay, dies_at: int) -> None:
        super().__init__()
        self.replay, self.dies_at, self.written = replay, dies_at, 0

    def stage(self, name: str, total: int | None = None) -> None:
        super().stage(name, total)
        if name == "commit" and self.dies_at < 0:
            self.replay.die()

    def about_to_send(self) -> None:
        if self.dies_at == 0:
            self.replay.die()

    def reached(self) -> None:
        self.written += 1
        if self.written == self.dies_at:
            self.replay.die()


class _MortalPort(Port):
    """Each write on its own may be the last thing that happens."""

    death: _Death

    def push(self, object: str, fields: tuple[str, ...], changes: Any) -> Any:
        self.death.about_to_send()
        return super().push(object, fields, changes)

    def _written(self, change: Change, fields: Any) -> Receipt:
        receipt = super()._written(change, fields)
        if receipt.error is None:
            self.death.reached()
        return receipt


class Replay:
    """One path. `truth` is what the vendors hold in the end."""

    def __init__(self, path: tuple[str, ...], name: str) -> None:
        self.now_us = 1_700_000_000 * S
        self.folder = scratch() / f"model-{name}"
        self.folder.mkdir(exist_ok=True)
        shutil.copy(empty_database(), self._database)
        habits: Mapping[str, str] = {}
        self.vendors = {side: Vendor(side, PROFILES[side], habits, 0, lambda: self.now_us, name) for side in SIDES}
        self.refs: dict[tuple[str, str], str] = {}
        self.polled_us = dict.fromkeys(SIDES, 0)
        self.context = self._open()
        try:
            self._start(path[0])
            for event in path[1:]:
                self._do(event)
            self._settle()
            problems = self.context.sync.verify().problems
            assert not problems, problems
        finally:
            self.context.close()
            shutil.rmtree(self.folder)

    @property
    def _database(self) -> Path:
        return self.folder / "state.sqlite"

    def truth(self) -> list[tuple[str, str, str, str, str]]:
        """(side, address, liveness, name, consent) of every record there is."""
        return sorted(
            (side, rec.fields["email"], rec.life, rec.fields["last"], rec.fields["consent"]) for side in SIDES for rec in self.vendors[side]
        )

    # ---- the engine

    def _open(self) -> Context:
        rules, store = _loaded(), Store.open(f"sqlite:///{self._database}")
        ports = {side: _MortalPort(self.vendors[side], lambda *_: self._tick(), [], set(), lambda _: None, lambda *_: 0) for side in SIDES}
        return Context(rules, store, store.sync(rules.model.name, bytes(32)), ports, clock=lambda: self.now_us, in_turn=True)

    def _tick(self) -> None:
        self.now_us += S

    def round(self, late: frozenset[str] = frozenset(), dies_at: int = ALL) -> None:
        self._tick()
        for side in SIDES:
            self._show(side, self.polled_us[side] if side in late else self.now_us)
            self.polled_us[side] = self.now_us
        death = _Death(self, dies_at)
        for port in self.context.connectors.values():
            port.death = death
        try:
            report = run_round(self.context, "sync", progress=death)
            assert report.error is None, report.error
        except Crash:
            self._reborn()

    def _show(self, side: str, until_us: int) -> None:
        """The index shows what was so then, and no more until the next poll."""
        records = self.vendors[side].records
        for ref, versions in records.items():
            records[ref] = [(FOR_NOW_US if rec.stamp_us > until_us else 0, rec) for _, rec in versions]

    def die(self) -> None:
        """What the dying program still does to the database never happened."""
        for part in self.folder.glob("state.sqlite*"):
            if not part.name.endswith("-shm"):
                shutil.copy(part, self.folder / part.name.replace("state", "image"))
        raise Crash

    def _reborn(self) -> None:
        self.context.close()
        for part in self.folder.glob("state.sqlite*"):
            part.unlink()
        for part in self.folder.glob("image.sqlite*"):
            part.rename(self.folder / part.name.replace("image", "state"))
        self.now_us += LEASE_TTL_US + S
        self.context = self._open()

    def _settle(self) -> None:
        """Rounds until three in a row change nothing."""
        quiet = 0
        for _ in range(12):
            before = sum(len(vendor.effects) for vendor in self.vendors.values())
            self.now_us += 7 * 3600 * S
            self.round()
            quiet = quiet + 1 if before == sum(len(vendor.effects) for vendor in self.vendors.values()) else 0
            if quiet == 3:
                return
        raise AssertionError("still writing")

    # ---- what people do

    def _start(self, where: str) -> None:
        for person in ("1", "2"):
            for side in SIDES:
                if person == "1" or where in ("linked", f"{side} only"):
                    self._add(side, f"{side}{person}", person, "Base")
            if person == "1" or where == "linked":
                self.round()
                self.round()

    def _add(self, side: str, ref: str, person: str, last: str) -> None:
        self._tick()
        values = {"email": f"p{person}@people.example", "last": last, "consent": "in"}
        self.refs[side, ref] = self.vendors[side].create(int(person), values, "people").ref

    def _rec(self, ref: str) -> tuple[Vendor, Rec]:
        side = "crm" if ref.startswith("crm") else "marketing"
        vendor = self.vendors[side]
        rec = vendor.get(self.refs[side, ref])
        assert rec is not None
        return vendor, rec

    def _do(self, event: str) -> None:
        self._tick()
        match event.split(" "):
            case ["round"]:
                self.round()
            case ["round", "dies", "at", number]:
                self.round(dies_at=int(number))
            case ["round", *late]:
                self.round(LATE[" ".join(late)])
            case ["edit", ref, *name]:
                vendor, rec = self._rec(ref)
                vendor.edit(rec, {"last": " ".join(name)}, "people")
            case ["opt", "out", ref]:
                vendor, rec = self._rec(ref)
                vendor.edit(rec, {"consent": "out"}, "people")
            case ["claim", ref]:
                vendor, rec = self._rec(ref)
                vendor.edit(rec, {"consent": "in"}, "people")
            case ["made", ref]:
                side = "crm" if ref.startswith("crm") else "marketing"
                self._add(side, ref, "2", f"Again in {side}")
            case ["merge", ref, "into", other]:
                vendor, rec = self._rec(ref)
                vendor.put(rec, replace(rec, life="merged", into=self._rec(other)[1].ref), "vendor", "merge")
            case ["delete", ref]:
                vendor, rec = self._rec(ref)
                vendor.live_on(rec, "archived", "people", "archive")
            case ["undelete", ref]:
                vendor, rec = self._rec(ref)
                vendor.live_on(rec, "live", "people", "undelete")
            case _:
                raise AssertionError(event)


def modelled_truth(state: State) -> list[tuple[str, str, str, str, str]]:
    """What the model's vendors hold once nothing more happens."""
    world = state.world.clone()
    world.until_quiet(8)
    return sorted(
        (side, record.fields["email"], record.liveness, record.fields["last"], record.fields["consent"])
        for side in SIDES
        for record in world.vendors[side].values()
    )
