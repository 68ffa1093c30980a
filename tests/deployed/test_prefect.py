"""The flows as they run in production: a real server, deployments with schedules, a worker, artifacts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deployed.prefect_server import PrefectServer

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

SCHEDULES = {"contacts": ("interval", 300.0), "contacts-sweep": ("cron", "0 2 * * *"), "contacts-retries": ("interval", 900.0)}


def test_all_flows_are_deployed_with_schedules_and_one_run_at_a_time(project: PrefectServer) -> None:
    deployments = {d["name"]: d for d in project.api("deployments/filter", {})}
    assert deployments.keys() == SCHEDULES.keys()
    for name, (kind, value) in SCHEDULES.items():
        schedules = [s["schedule"] for s in deployments[name]["schedules"] if s["active"]]
        assert value in [schedule.get(kind) for schedule in schedules]
        assert deployments[name]["global_concurrency_limit"]["limit"] == 1
        assert deployments[name]["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"


def test_a_scheduled_run_completes(scheduled_run: dict[str, Any]) -> None:
    assert scheduled_run["state"]["type"] == "COMPLETED", scheduled_run["state"]


def test_its_summary_is_a_table_artifact(project: PrefectServer, scheduled_run: dict[str, Any]) -> None:
    artifacts = project.api("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [scheduled_run["id"]]}}})
    [summary] = [a for a in artifacts if a["key"] == "syncline-contacts-summary"]
    assert summary["type"] == "table"
    assert "crm: records read" in summary["data"] and "people.example" not in summary["data"]
