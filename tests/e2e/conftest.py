"""Twins once a session (reset for each test), a fresh project folder and database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.handles import Twins
from sandbox.serve import start_twins
from tests.e2e.world import World


@pytest.fixture(scope="session")
def running_twins() -> Iterator[Twins]:
    with start_twins(rate=False) as twins:
        yield twins


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps: the seconds that somebody wanted to wait are listed instead."""
    wished: list[float] = []
    monkeypatch.setattr("connectors.pace.time.sleep", wished.append)
    return wished


@pytest.fixture
def world(running_twins: Twins, tmp_path: Path) -> World:
    running_twins.reset()
    return World(running_twins, tmp_path)
