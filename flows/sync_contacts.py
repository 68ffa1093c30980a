"""The main flow: one incremental round, every few minutes."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.deployed import run_flow


@flow(name="sync-contacts", description="Poll both sides, reconcile, write only what must change.")
def sync_contacts(mapping: str = "mapping.yaml", approve: int | None = None) -> dict[str, Any]:
    """One round of `mapping`. `approve`: the run whose kept plan may go ahead. Returns the report (flows.round.Report.as_dict)."""
    return run_flow(mapping, "sync", approve)
