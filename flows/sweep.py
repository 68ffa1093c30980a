"""The nightly flow: list both sides whole, find deletes and drift, look at held contacts again."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.deployed import run_flow


@flow(name="sweep", description="Full compare of both sides: deletes, drift, held fields.")
def sweep(mapping: str = "mapping.yaml") -> dict[str, Any]:
    """One full round of `mapping`. Returns the report."""
    return run_flow(mapping, "sweep")
