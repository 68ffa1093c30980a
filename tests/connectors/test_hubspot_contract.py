"""HubSpot keeps the connector contract, over real HTTP to its twin."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from connectors import hubspot_reads
from connectors.http import Rate
from connectors.registry import build
from sandbox.handles import Twin, Twins
from sandbox.serve import start_twins
from syncline.ports import Connector, Settings
from syncline.testing import ConnectorContract


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    with start_twins(rate=False) as twins:
        yield twins


class People:
    """The HubSpot twin's own users."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin

    def seed(self, values: Mapping[str, Any]) -> str:
        return str(self.twin.edit("create", fields=dict(values)))

    def seed_at_once(self, rows: list[Mapping[str, Any]]) -> list[str]:
        self.twin.clock(frozen=True, tick_ms=0)
        try:
            return [self.seed(row) for row in rows]
        finally:
            self.twin.clock(frozen=False, tick_ms=1)

    def edit(self, ref: str, values: Mapping[str, Any]) -> None:
        self.twin.edit("update", id=ref, fields=dict(values))

    def delete(self, ref: str) -> None:
        self.twin.edit("delete", id=ref)

    def state(self, ref: str) -> Mapping[str, Any] | None:
        return next((row for row in self.twin.records() if row["id"] == ref and row["state"] == "live"), None)

    def count(self, field: str, value: str) -> int:
        return sum(row.get(field) == value and row["state"] == "live" for row in self.twin.records())


class TestHubSpot(ConnectorContract):
    object = "contacts"
    fields = ("email", "firstname", "lastname", "lifecyclestage", "hs_email_optout")
    text_field = "firstname"
    unique_field = "email"
    wrong_secrets: ClassVar = {"token": "pat-of-somebody-else"}
    refused: ClassVar = {"lifecyclestage": "no such stage"}
    many = 215

    def person(self, n: int) -> Mapping[str, Any]:
        return {"email": f"person{n}@people.example", "firstname": f"Aoife {n}", "lastname": "Byrne", "lifecyclestage": "lead"}

    @pytest.fixture
    def world(self, twins: Twins, monkeypatch: pytest.MonkeyPatch) -> People:
        monkeypatch.setattr(hubspot_reads, "SEARCH_RATE", Rate(1_000_000, 1))  # the twin's own limits are off: do not sleep
        twins.hubspot.reset()
        return People(twins.hubspot)

    @pytest.fixture
    def make(self, twins: Twins, world: People) -> Any:
        def make(**settings: Any) -> Connector:
            usual = {"base_url": twins.hubspot.url, "secrets": {"token": twins.hubspot.token}}
            return build("hubspot", Settings(**{**usual, **settings}))

        return make


class TestHubSpotWithItsOwnKey(TestHubSpot):
    """Creates through a unique property of ours: a repeat finds the record it made."""

    @pytest.fixture
    def make(self, twins: Twins, world: People) -> Any:
        def make(**settings: Any) -> Connector:
            usual = {"base_url": twins.hubspot.url, "secrets": {"token": twins.hubspot.token}}
            return build("hubspot", Settings(**{**usual, **settings}, options={"create_key_property": "syncline_key"}))

        return make
