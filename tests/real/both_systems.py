"""The real CRM and the marketing twin with our side between them, for tests/real. The truth is read past the connectors.

Parties are read and edited through `Rpc`, as Tryton's own client does it; members through the twin's controls, as people do it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests.adapters

from flows.round import LEASE_TTL_S, Kind, Report, run_round
from flows.settings import Context, now_us, open_context, read_checkpoints
from sandbox.handles import Twins
from tests.e2e.crash_child import forked
from tests.real.rpc import Rpc
from tests.real.tryton_server import Server

SHIPPED = Path(__file__).parents[2] / "mappings" / "tryton-mailchimp.yaml"
PARTY, MECHANISM, CATEGORY = "model.party.party.", "model.party.contact_mechanism.", "model.party.category."
EVEN_ARCHIVED = ["active", "in", [True, False]]
OPT_OUT = "Email opt-out"
MOST_ROUNDS = 8


@dataclass
class BothSystems:
    """`crm` and `marketing` are the two systems as people use them; `sync` runs one round of ours."""

    server: Server
    twins: Twins
    folder: Path
    reports: list[Report] = field(default_factory=list)
    shift_s: float = 0

    def __post_init__(self) -> None:
        self.crm, self.marketing = Rpc(self.server), self.twins.mailchimp
        self.mapping = self.folder / "mapping.yaml"
        text = SHIPPED.read_text(encoding="utf-8")
        assert "{database: tryton}" in text
        self.mapping.write_text(text.replace("{database: tryton}", f"{{database: {self.server.database}}}"), encoding="utf-8")

    # ---- our side

    @contextmanager
    def context(self) -> Iterator[Context]:
        tryton = {"BASE_URL": self.server.base_url, "USER": self.server.user, "PASSWORD": self.server.password}
        environ = self.twins.env() | {f"SYNCLINE_TRYTON_{name}": value for name, value in tryton.items()}
        context = open_context(self.mapping, environ, self.folder)
        context.clock = lambda: now_us() + int(self.shift_s * 1_000_000)
        try:
            yield context
        finally:
            context.close()

    def sync(self, kind: Kind = "sync", approve: int | None = None) -> Report:
        """One round. A stop by the guard is approved, as a person would who has looked at the plan."""
        with self.context() as context:
            report = run_round(context, kind, approve=approve)
        self.reports.append(report)
        if report.status == "stopped" and approve is None:
            return self.sync(kind, approve=report.run_id)
        assert report.error is None, report.error
        return report

    def until_quiet(self, kind: Kind) -> None:
        """Rounds until one writes nothing."""
        for _ in range(MOST_ROUNDS):
            done = self.sync(kind).pushed
            assert done.failed == 0, self.reports[-1].as_dict()
            if done.applied == 0 and done.moved == 0:
                return
        raise AssertionError([report.as_dict() for report in self.reports[-MOST_ROUNDS:]])

    def killed_after(self, call: str) -> None:
        """A round in a process of its own, dead by SIGKILL when the answer to the first such call has come and nobody has looked at it."""
        assert forked(lambda: _die_after(call, self.sync)) == -signal.SIGKILL
        self.shift_s += LEASE_TTL_S + 1  # nobody released its lease

    def verified(self) -> bool:
        """Whether the log verifies, against its outside checkpoints too."""
        with self.context() as context:
            return bool(context.sync.verify(read_checkpoints(context.checkpoints, context.loaded.model.name)).ok)

    def held(self) -> list[tuple[str, str, str]]:
        """(field, code, side) of everything that waits for a person."""
        with self.context() as context:
            return sorted((hold.field, hold.code, hold.side or "") for hold in context.sync.holds())

    # ---- the truth

    def parties(self) -> list[dict[str, Any]]:
        """Every party: id, name, active, replaced_by, emails and phones (its own, in its order), categories (names)."""
        fields = ["name", "active", "replaced_by", "contact_mechanisms.type", "contact_mechanisms.value", "categories.rec_name"]
        rows = self.crm.call(PARTY + "search_read", [EVEN_ARCHIVED], 0, None, [["id", "ASC"]], fields)
        return [_party(row) for row in rows]

    def members(self) -> list[dict[str, Any]]:
        """Every member there ever was."""
        return self.marketing.records()

    def footprint(self) -> dict[str, Any]:
        """All that a write would move: who wrote what when in the CRM, and the twin's own history."""
        seen: dict[str, Any] = {"effects": self.marketing.effects()}
        for model in ("party.party", "party.contact_mechanism", "party.identifier", "party.category", "party.address"):
            stamps = self.crm.call(f"model.{model}.search_read", [EVEN_ARCHIVED], 0, None, [["id", "ASC"]], ["_timestamp"])
            seen[model] = [(row["id"], row["_timestamp"]) for row in stamps]
        seen["log"] = self.crm.call("model.ir.model.log.search_count", [])
        return seen

    # ---- what people do in the CRM

    def make(self, *people: Mapping[str, Any]) -> list[int]:
        """Parties in one call: name, then email, phone (one or a list) and categories (names)."""
        rows = [_values(person, self._category) for person in people]
        numbers: list[int] = self.crm.call(PARTY + "create", rows)
        return numbers

    def write(self, number: int, **values: Any) -> None:
        self.crm.call(PARTY + "write", [number], values)

    def put_into(self, number: int, category: str) -> None:
        self.write(number, categories=[["add", [self._category(category)]]])

    def edit_mechanism(self, number: int, kind: str, value: str) -> None:
        """Straight in the list of contact mechanisms, which leaves no mark on the party."""
        self.crm.call(MECHANISM + "write", [self._mechanism(number, kind)], {"value": value})

    def remove_mechanism(self, number: int, kind: str) -> None:
        """Straight in that list too; not even the mechanism is left to tell."""
        self.crm.call(MECHANISM + "delete", [self._mechanism(number, kind)])

    def _mechanism(self, number: int, kind: str) -> int:
        [found] = self.crm.call(MECHANISM + "search", [["party", "=", number], ["type", "=", kind]], 0, None, None)
        return int(found)

    def _category(self, name: str) -> int:
        found = self.crm.call(CATEGORY + "search", [["name", "=", name]], 0, None, None)
        return int(found[0] if found else self.crm.call(CATEGORY + "create", [{"name": name}])[0])


def _party(row: dict[str, Any]) -> dict[str, Any]:
    told = {kind: [one["value"] for one in row["contact_mechanisms."] if one["type"] == kind] for kind in ("email", "phone")}
    categories = {one["rec_name"] for one in row["categories."]}
    own = {name: row[name] for name in ("id", "name", "replaced_by")}
    return {**own, **told, "active": bool(row["active"]), "categories": categories - {OPT_OUT}, "opted_out": OPT_OUT in categories}


def _values(person: Mapping[str, Any], category: Any) -> dict[str, Any]:
    told = [(kind, person.get(kind) or []) for kind in ("email", "phone")]
    mechanisms = [{"type": kind, "value": value} for kind, values in told for value in ([values] if isinstance(values, str) else values)]
    categories = [["add", [category(name) for name in person.get("categories", ())]]]
    return {"name": person["name"], "contact_mechanisms": [["create", mechanisms]], "categories": categories}


def _die_after(call: str, act: Any) -> None:
    plain = requests.adapters.HTTPAdapter.send

    def send(adapter: Any, request: Any, **options: Any) -> Any:
        answer = plain(adapter, request, **options)
        if call.encode() in (request.body or b""):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    requests.adapters.HTTPAdapter.send = send  # type: ignore[method-assign]
    act()
