"""A world for end-to-end tests: both twins over real HTTP, a database, and our side of it. Assertions read the twins' true state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from connectors import pace
from flows.round import Report, run_round
from flows.settings import Context, now_us, open_context
from sandbox.handles import Twins

CONTACTS = Path(__file__).parent.parent.parent / "mappings" / "contacts.yaml"


@dataclass
class World:
    """`crm` and `marketing` are the twins; `sync()` runs one round in a fresh context, as a scheduled run would."""

    twins: Twins
    folder: Path
    database: str | None = None
    mapping: Path = CONTACTS
    reports: list[Report] = field(default_factory=list)
    shift_s: float = 0
    """Our own clock, this far ahead of the real one: leases expire and retries fall due."""
    passed_s: float = 0
    """Time that has passed everywhere."""
    _marks: dict[str, int] = field(default_factory=dict)

    @property
    def crm(self) -> Any:
        return self.twins.hubspot

    @property
    def marketing(self) -> Any:
        return self.twins.mailchimp

    @property
    def environ(self) -> dict[str, str]:
        env = dict(self.twins.env())
        return env | ({"SYNCLINE_DATABASE_URL": self.database} if self.database else {})

    @contextmanager
    def context(self) -> Iterator[Context]:
        context = open_context(self.mapping, self.environ, self.folder)
        context.clock = lambda: now_us() + int((self.shift_s + self.passed_s) * 1_000_000)
        try:
            with patch.object(pace, "time", self._doors_time()):
                yield context
        finally:
            context.close()

    def _doors_time(self) -> SimpleNamespace:
        """The time by which the connectors measure their vendors' clocks."""
        return SimpleNamespace(time=lambda: time.time() + self.passed_s, monotonic=time.monotonic, sleep=lambda s: time.sleep(s))

    def sync(self, kind: str = "sync", approve: int | None = None) -> Report:
        """One round; its report is kept, so that a failing test can show what happened."""
        with self.context() as context:
            report = run_round(context, kind, approve=approve)  # type: ignore[arg-type]
        self.reports.append(report)
        return report

    def settle(self, kind: str = "sync", most: int = 4) -> Report:
        """Rounds until one writes nothing; fails when that takes more than `most`."""
        for _ in range(most):
            report = self.sync(kind)
            assert report.error is None, report.error
            if report.pushed.applied == 0 and report.pushed.moved == 0:
                return report
        raise AssertionError(f"still writing after {most} rounds: {[r.as_dict() for r in self.reports[-most:]]}")

    def edit_mapping(self, *swaps: tuple[str, str]) -> None:
        """From now on a copy of the mapping with texts replaced; each must be there."""
        text = self.mapping.read_text(encoding="utf-8")
        for old, new in swaps:
            assert old in text, old
            text = text.replace(old, new)
        self.mapping = self.folder / "mapping.yaml"
        self.mapping.write_text(text, encoding="utf-8")

    # ---- the twins' true state

    def crm_record(self, email: str) -> dict[str, Any]:
        """The one live CRM record with this address."""
        [record] = [r for r in self.crm.records() if r["state"] == "live" and r["email"] == email]
        return record

    def member(self, email: str) -> dict[str, Any]:
        """The one member (not deleted for good) with this address."""
        [member] = [r for r in self.marketing.records() if r["state"] != "deleted" and r["email_address"].lower() == email.lower()]
        return member

    def api_writes(self) -> dict[str, int]:
        """Effects of our own writes so far, by side."""
        twins = {"crm": self.crm, "marketing": self.marketing}
        return {name: sum(1 for effect in twin.effects() if effect["actor"] == "api") for name, twin in twins.items()}

    def later(self, seconds: float) -> None:
        """All clocks go on by this much, so that edits have an order that no skew can hide."""
        self.passed_s += seconds
        for twin in (self.crm, self.marketing):
            twin.clock(advance_s=seconds)

    def mark(self) -> None:
        """From here on `written` tells what we write."""
        self._marks = {side: self._count(side) for side in ("crm", "marketing")}

    def written(self, side: str) -> list[tuple[str, Any]]:
        """(field, new value) of each effect of our own writes on one side since `mark`, by field; a whole-record act has its own name."""
        own = [e for e in getattr(self, side).effects(self._marks.get(side, 0)) if e["actor"] == "api"]
        told = [(e["op"], (e["after"] or {}).get("email") or (e["after"] or {}).get("email_address")) for e in own if e["field"] == "*"]
        return sorted(told + [(e["field"], e["after"]) for e in own if e["field"] != "*"], key=lambda pair: pair[0])

    def _count(self, side: str) -> int:
        return max((effect["n"] + 1 for effect in getattr(self, side).effects()), default=0)

    def at_rest(self, kind: str = "sync") -> None:
        """Settle; then a further sync and a sweep write nothing, and the log verifies."""
        self.settle(kind)
        before = self.api_writes()
        for again in ("sync", "sweep"):
            report = self.sync(again)
            assert report.error is None, report.error
            assert self.api_writes() == before, report.as_dict()
        self.verified()

    def pair(self, name: str, crm: dict[str, Any] | None = None, marketing: dict[str, Any] | None = None) -> str:
        """One person made on both sides; returns the address. Nothing is in step yet."""
        email = f"{name}@people.example"
        self.crm.edit("create", fields={"email": email, **(crm or {})})
        self.marketing.edit("create", email=email, fields=dict(marketing or {}))
        return email

    # ---- our own memory, for what only it can tell

    def holds(self) -> list[tuple[str, str]]:
        """(field, code) of every open hold."""
        with self.context() as context:
            return sorted((hold.field, hold.code) for hold in context.sync.holds())

    def changes(self, field: str) -> list[tuple[str, Any, Any]]:
        """(rule, old, new) of every logged change of one field, oldest first."""
        return [(row.entry.rule, row.entry.old, row.entry.new) for row in self.log(field=field) if row.entry.kind == "change"]

    def log(self, **wanted: Any) -> list[Any]:
        """Log rows, oldest first, narrowed by the store's own filters."""
        with self.context() as context:
            return list(context.sync.entries(ascending=True, **wanted))

    def verified(self) -> None:
        """The log verifies, against its outside checkpoints too."""
        from flows.settings import read_checkpoints

        with self.context() as context:
            report = context.sync.verify(read_checkpoints(context.checkpoints, context.loaded.model.name))
        assert report.ok, report.problems
