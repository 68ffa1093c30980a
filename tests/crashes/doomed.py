"""The simulator's world with boundaries that are counted, and at one of which the program dies.

A boundary is a moment at which the world has just changed or is about to: after each SQL commit, a write as it is sent, the same when the
vendor has carried it out but nobody knows yet, and when it was answered; the checkpoint outside the database. Before a commit the world is
as it was after the boundary before; a read changes nothing. Whoever has died writes no more: whatever it still tries ends at once. Who is
only interrupted (by Ctrl-C, say) still cleans up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from flows.round import LEASE_TTL_US, Kind
from flows.settings import Context
from state.store import Store
from syncline.errors import GuardTripped
from syncline.records import SIDES, Side
from tests.crashes.histories import Act, Order
from tests.simulation import people
from tests.simulation.world import Crash, S, World

LONG_S = 3600
"""Between what people do and our rounds: more than any lag or overlap."""

SETTLE_S = 120
MOST_ROUNDS = 8


class Stuck(Exception):
    """Rounds that do not come to rest, or end with an error."""


@dataclass(frozen=True, slots=True)
class Image:
    """What outlives a crash: both vendors, our database and checkpoints, the time, and what chance will bring."""

    vendors: dict[Side, dict[str, Any]]
    files: dict[Path, bytes]
    now_us: int
    chance: tuple[Any, Any]


class Doomed(World):
    """`passed`: the boundaries so far; it dies at number `fatal` (0: never), or is only interrupted there."""

    def __init__(self, setup: Mapping[str, Any], seed: str, interrupted: bool = False) -> None:
        super().__init__(setup, seed)
        self.interrupted = interrupted
        self.live_on()

    def live_on(self, fatal: int = 0) -> None:
        """A new program, which shall die at that boundary."""
        self.drop_context()
        self.passed, self.fatal, self.dead = [], fatal, False

    def tick(self, name: str) -> None:
        if self.dead:
            raise Crash
        self.passed.append(name)
        if len(self.passed) == self.fatal:
            self.dead = not self.interrupted
            raise Crash

    # ---- where the boundaries are

    def open(self) -> Context:
        """A program started anew, but for what SQLAlchemy has compiled already: its connections and all that it remembers are new."""
        rules = self.rules()
        ports = {side: self._port(side) for side in SIDES}
        for port in ports.values():
            port.push = partial(self._answered, port.push)  # type: ignore[method-assign]
        sync = self.store.sync(rules.model.name, bytes(32))
        own: dict[str, Any] = {"clock": lambda: self.now_us, "random_bytes": self.secrets.randbytes, "in_turn": True}
        return Context(rules, self.store, sync, ports, self.folder / "checkpoints.jsonl", **own)

    @cached_property
    def store(self) -> Store:
        store = Store.open(f"sqlite:///{self.database}")
        self._around_commits(store.database.engine)
        return store

    def _around_commits(self, engine: sa.Engine) -> None:
        """The event knows whether a transaction writes; the dialect is told of the commit itself."""
        writing, plain = [False], engine.dialect.do_commit

        def before(connection: sa.Connection) -> None:
            writing[0] = bool(connection.get_execution_options().get("syncline_write"))

        def do_commit(connection: Any) -> None:
            if self.dead:
                raise Crash
            plain(connection)
            if writing[0]:
                self.tick("committed")

        sa.event.listen(engine, "commit", before)
        engine.dialect.do_commit = do_commit  # type: ignore[method-assign]

    def _answered(self, push: Callable[..., Iterator[Any]], *call: Any) -> Iterator[Any]:
        yield from push(*call)
        self.tick("answered")

    def _boundary(self, side: Side, op: str, moment: str) -> None:
        super()._boundary(side, op, moment)
        if self.dead:
            raise Crash
        if op == "push":
            self.tick("sent" if moment == "before" else "applied")

    @contextmanager
    def _around_fsync(self) -> Iterator[None]:
        plain = os.fsync
        with patch.object(os, "fsync", lambda fd: (plain(fd), self.tick("fsync"))):
            yield

    # ---- what happens

    def people_do(self, act: Act) -> None:
        for order in act.orders:
            for step in steps(order):
                people.act(self, step)
            self.now_us += S
        self.now_us += LONG_S * S

    def our_part(self, act: Act, fatal: int = 0) -> bool:
        """An act's rounds, and more until nothing is written. False: it died, and its lease has run out since."""
        self.live_on(fatal)
        try:
            with self._around_fsync():
                for kind in act.rounds:
                    self._one(kind)
                self.settle("sync")
            return True
        except Crash:
            self.drop_context()
            self.now_us += LEASE_TTL_US + S
            return False

    def settle(self, kind: Kind) -> None:
        for _ in range(MOST_ROUNDS):
            if not self._one(kind):
                return
        raise Stuck(f"still writing after {MOST_ROUNDS} rounds")

    def _one(self, kind: Kind) -> int:
        """One round, approved where it asks; how much it wrote, or found that it must decide again."""
        report = self.round(kind)
        if isinstance(report.error, GuardTripped):
            report = self.round("sync", approve=report.run_id)
        if report.error is not None:
            raise Stuck(f"{kind}: {report.error!r}")
        self.now_us += SETTLE_S * S
        return report.pushed.applied + report.pushed.moved + report.pushed.failed

    def _reborn(self) -> None:
        """Nothing to take back: the dead write nothing. Whoever started the round is told."""
        raise Crash

    # ---- images

    def image(self) -> Image:
        self.drop_context()
        return Image(
            {side: _saved(vars(self.vendors[side])) for side in SIDES},
            self._files(),
            self.now_us,
            (self.rng.getstate(), self.secrets.getstate()),
        )

    def restore(self, image: Image) -> None:
        self.drop_context()
        for path in self.folder.iterdir():
            path.unlink()
        for path, data in image.files.items():
            path.write_bytes(data)
        for side in SIDES:
            vars(self.vendors[side]).update(_saved(image.vendors[side]))
        self.now_us = image.now_us
        self.rng.setstate(image.chance[0])
        self.secrets.setstate(image.chance[1])

    def _files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.folder.iterdir()}


def _saved(attributes: dict[str, Any]) -> dict[str, Any]:
    """A copy that later writes do not touch: records are values, their lists of versions are not."""
    kept = {name: copy(value) for name, value in attributes.items() if isinstance(value, (dict, list, set, int, Random))}
    return kept | {"records": {ref: list(versions) for ref, versions in attributes["records"].items()}}


def steps(order: Order) -> Iterator[dict[str, Any]]:
    """The order as the simulator's people understand it."""
    plain = [[name, n] for name, n in order.fields if name != "tags"]
    tags = [n for name, n in order.fields if name == "tags"]
    step: dict[str, Any] = {"side": order.side, "who": order.who}
    match order.deed:
        case "create":
            yield {**step, "do": "create", "fields": plain, "consent": "in"}
        case "update":
            yield {**step, "do": "edit", "fields": plain}
        case "merge":
            yield {**step, "do": "merge", "loser": order.loser}
        case "unsubscribe":
            yield {**step, "do": "consent", "to": "out", "proof": False}
        case "change_email":
            yield {**step, "do": "address", "n": order.number}
        case "delete":
            yield {**step, "do": "delete", "for_good": False}
    yield from ({**step, "do": "tag", "n": n} for n in tags)
