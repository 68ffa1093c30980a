"""One server, one worker and one deployed project for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.handles import Twins
from sandbox.serve import start_twins
from tests.deployed.prefect_server import PrefectServer, prefect_server, wait_until
from tests.e2e.world import World


@pytest.fixture(scope="session")
def twins() -> Iterator[Twins]:
    with start_twins(contacts=40, seed=11, rate=False) as twins:
        yield twins


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, twins: Twins) -> Iterator[PrefectServer]:
    """prefect server start, work pool, `prefect deploy --all`, worker: as docs/deploy.md says."""
    home: Path = tmp_path_factory.mktemp("prefect")
    _first_load(twins, home)
    database = {"SYNCLINE_DATABASE_URL": f"sqlite:///{home / 'state.sqlite'}", "SYNCLINE_CHECKPOINTS": str(home / "checkpoints.jsonl")}
    with prefect_server(home, {**twins.env(), **database}) as server:
        server.cli("work-pool", "create", "syncline", "--type", "process")
        server.cli("--no-prompt", "deploy", "--all")
        # Nobody waits five minutes for a test: one more schedule, of the same kind, that is due at once.
        server.cli("deployment", "schedule", "create", "sync-contacts/contacts", "--interval", "20")
        server.start("worker", "start", "--pool", "syncline")
        yield server


def _first_load(twins: Twins, home: Path) -> None:
    """The first load of messy people stops at the guard; an admin approves it before the schedule takes over."""
    world = World(twins, home, f"sqlite:///{home / 'state.sqlite'}")
    first = world.sync()
    assert first.status == "stopped"
    assert world.sync(approve=first.run_id).error is None


@pytest.fixture(scope="session")
def scheduled_run(project: PrefectServer) -> dict[str, Any]:
    """The first run of the main flow that the schedule itself started and that has ended."""

    def ended() -> dict[str, Any] | None:
        # By name: the schedule of the retries may come round first, and a retry reads no records.
        wanted = {
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}},
            "deployments": {"name": {"any_": ["contacts"]}},
        }
        runs = project.api("flow_runs/filter", wanted)
        return next((run for run in runs if run["auto_scheduled"]), None)

    return wait_until(ended, "a scheduled run has ended")
