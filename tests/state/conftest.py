"""Every store test runs on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from state.store import Store, SyncStore
from tests.databases import database_url, postgres_uri, postgres_url

__all__ = ["database_url", "postgres_uri", "postgres_url"]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sync(store: Store) -> SyncStore:
    return store.sync("contacts", log_key=b"s" * 32)
