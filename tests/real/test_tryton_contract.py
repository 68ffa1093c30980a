"""Tryton keeps the laws of every connector, judged by the real server."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

from connectors.tryton import Tryton
from syncline.ports import Settings
from syncline.testing.contract import ConnectorContract
from tests.real.rpc import Rpc
from tests.real.tryton_server import Server

PARTY = "model.party.party."
EVERYONE = ["active", "in", [True, False]]
BY_MECHANISM = ("email", "phone")


class Office:
    """The people who work in Tryton, as its own client would act for them."""

    def __init__(self, crm: Rpc) -> None:
        self._crm = crm
        crm.call(PARTY + "delete", crm.call(PARTY + "search", [EVERYONE], 0, None, None))

    def seed(self, values: Mapping[str, Any]) -> str:
        return self.seed_at_once([values])[0]

    def seed_at_once(self, rows: list[Mapping[str, Any]]) -> list[str]:
        return [str(number) for number in self._crm.call(PARTY + "create", [_as_typed(row) for row in rows])]

    def edit(self, ref: str, values: Mapping[str, Any]) -> None:
        self._crm.call(PARTY + "write", [int(ref)], dict(values))

    def delete(self, ref: str) -> None:
        self._crm.call(PARTY + "delete", [int(ref)])

    def state(self, ref: str) -> Mapping[str, Any] | None:
        rows = self._crm.call(PARTY + "search_read", [["id", "=", int(ref)]], 0, None, None, ["name", *BY_MECHANISM])
        return {name: rows[0][name] or None for name in ("name", *BY_MECHANISM)} if rows else None

    def count(self, field: str, value: str) -> int:
        found = ["contact_mechanisms", "where", [["type", "=", field], ["value", "=", value]]]
        return len(self._crm.call(PARTY + "search", [found], 0, None, None))


class TestTryton(ConnectorContract):
    object, fields, text_field, unique_field = "parties", ("name", "email", "phone"), "name", "email"
    wrong_secrets: ClassVar = {"user": "nobody.at.all", "password": "not-the-password"}
    refused: ClassVar = {"name": "two\nlines"}
    many = 5

    @pytest.fixture
    def world(self, crm: Rpc, monkeypatch: pytest.MonkeyPatch) -> Office:
        monkeypatch.setattr("connectors.tryton.PAGE", 2)
        return Office(crm)

    @pytest.fixture
    def make(self, tryton_server: Server, world: Office) -> Callable[..., Tryton]:
        def make(**settings: Any) -> Tryton:
            secrets = {"user": tryton_server.user, "password": tryton_server.password}
            given = {"base_url": tryton_server.base_url, "options": {"database": tryton_server.database}, "secrets": secrets}
            return Tryton(Settings(**{**given, **settings}))

        return make

    def person(self, n: int) -> Mapping[str, Any]:
        return {"name": f"Person {n}", "email": f"person{n}@people.example", "phone": f"+353 1 555 01{n:02}"}


def _as_typed(values: Mapping[str, Any]) -> dict[str, Any]:
    mechanisms = [{"type": kind, "value": values[kind]} for kind in BY_MECHANISM if kind in values]
    return {"name": values["name"], "contact_mechanisms": [["create", mechanisms]]}
