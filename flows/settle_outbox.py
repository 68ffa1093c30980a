"""The retry flow: finish what an earlier run left, and decide again what failed and is due. Polls nothing."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.deployed import run_flow


@flow(name="settle-outbox", description="Retry what could not be written, from the world as it is now.")
def settle_outbox(mapping: str = "mapping.yaml") -> dict[str, Any]:
    """One round without polls. Returns the report."""
    return run_flow(mapping, "retry")
