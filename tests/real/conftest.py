"""One real CRM for the whole run, and the tests' own way into it. Every test of this folder bears the mark `real`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.rpc import Rpc
from tests.real.tryton_server import Server, tryton

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("real")


@pytest.fixture(scope="session")
def tryton_server() -> Iterator[Server]:
    with tryton() as server:
        yield server


@pytest.fixture
def crm(tryton_server: Server) -> Rpc:
    """The oracle: it reads the CRM's true state without passing through the connector."""
    return Rpc(tryton_server)
