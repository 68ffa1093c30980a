"""HubSpot's twin over real HTTP, the connector that talks to it, and what both are asked in tests of either direction."""

from collections.abc import Iterator

import pytest

from connectors import hubspot_reads
from connectors.http import Rate
from connectors.hubspot import HubSpot
from sandbox.handles import Twin
from sandbox.serve import start_twins
from syncline.ports import Settings

FIELDS = ("email", "firstname", "lastname", "lifecyclestage", "hs_email_optout")


@pytest.fixture(scope="module")
def running() -> Iterator[Twin]:
    with start_twins(rate=False) as twins:
        yield twins.hubspot


@pytest.fixture
def twin(running: Twin, monkeypatch: pytest.MonkeyPatch) -> Twin:
    running.reset()
    monkeypatch.setattr(hubspot_reads, "SEARCH_RATE", Rate(1_000_000, 1))
    return running


@pytest.fixture
def hubspot(twin: Twin) -> Iterator[HubSpot]:
    connector = HubSpot(Settings(base_url=twin.url, secrets={"token": twin.token}))
    yield connector
    connector.close()


def seed(twin: Twin, n: int, **values: str) -> str:
    return str(twin.edit("create", fields={"email": f"p{n}@people.example", "firstname": f"F{n}", **values}))
