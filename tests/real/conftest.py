"""One real CRM for the whole run, and the tests' own way into it."""

from collections.abc import Iterator

import pytest

from tests.real.rpc import Rpc
from tests.real.tryton_server import Server, tryton


@pytest.fixture(scope="session")
def tryton_server() -> Iterator[Server]:
    with tryton() as server:
        yield server


@pytest.fixture
def crm(tryton_server: Server) -> Rpc:
    """The oracle: it reads the CRM's true state without passing through the connector."""
    return Rpc(tryton_server)
