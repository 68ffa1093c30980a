"""A world for end-to-end tests: both twins over real HTTP, a database, and our side of it. Assertions read the twins' true state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.round import Report, run_round
from flows.settings import Context, open_context
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
        try:
            yield context
        finally:
            context.close()

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

    # ---- our own memory, for what only it can tell

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
