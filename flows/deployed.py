"""What the Prefect flows share: secrets from the environment or Prefect blocks, progress and summary as artifacts, outcomes as states.

Prefect is imported here and in the three flow files alone; the rounds themselves know nothing of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.blocks.system import Secret
from prefect.logging import get_run_logger
from prefect.states import Completed

from connectors.registry import connector_class, variable
from flows.round import Kind, Report, run_round
from flows.settings import open_context
from mappings.load import load
from syncline.records import SIDES

LONG_LOAD = 5_000
"""Records after which a stage is worth a progress bar of its own."""


def environment(mapping_path: str) -> dict[str, str]:
    """The environment, completed with Prefect Secret blocks: SYNCLINE_HUBSPOT_TOKEN may live in the block `syncline-hubspot-token`."""
    found = dict(os.environ)
    sides = load(mapping_path).model.sides
    for side in SIDES:
        name = getattr(sides, side).connector
        for secret in connector_class(name).secrets:
            wanted = variable(name, secret)
            if not found.get(wanted, "").strip():
                found |= _block(wanted)
    return found


def _block(wanted: str) -> dict[str, str]:
    try:
        return {wanted: str(Secret.load(wanted.lower().replace("_", "-")).get())}
    except ValueError:  # no such block: the missing variable is named by whoever needs it
        return {}


class ArtifactProgress:
    """Stages as log lines; a stage that proves long becomes a progress artifact, updated per page."""

    def __init__(self, key: str) -> None:
        self._key, self._done, self._total, self._artifact = key, 0, None, None
        self._log = get_run_logger()

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage."""
        self._log.info("%s%s", name, f": {total} to do" if total else "")
        self._name, self._done, self._total, self._artifact = name, 0, total, None

    def advance(self, count: int) -> None:
        """Count on."""
        self._done += count
        if self._done < LONG_LOAD:
            return
        share = min(99.0, 100 * self._done / self._total) if self._total else 0.0
        if self._artifact is None:
            key = f"{self._key}-{self._name}"
            self._artifact = create_progress_artifact(progress=share, key=key, description=f"{self._name}: {self._done}")
        else:
            update_progress_artifact(self._artifact, progress=share, description=f"{self._name}: {self._done}")


def run_flow(mapping: str, kind: Kind, approve: int | None = None) -> Any:
    """One round inside a flow run: summary artifact, state by outcome. Raises the round's error unless a guard stopped it."""
    context = open_context(mapping, environment(mapping))
    try:
        name = context.loaded.model.name
        report = run_round(context, kind, approve=approve, progress=ArtifactProgress(f"syncline-{name}"))
    finally:
        context.close()
    create_table_artifact(table=summary(report), key=f"syncline-{name}-summary", description=f"Run {report.run_id}: {report.status}")
    return outcome(report)


def outcome(report: Report) -> Any:
    """In step and held complete, so do failed writes ("ToRetry") and a guard's stop ("AwaitingApproval"); an error fails the flow run."""
    data = report.as_dict()
    if report.status == "stopped":
        return Completed(name="AwaitingApproval", message=str(report.error), data=data)
    if report.error is not None:
        raise report.error
    if report.status == "failed":
        return Completed(name="ToRetry", message=f"{report.paused.contacts} wait to be tried again", data=data)
    if report.status == "held":
        return Completed(name="Held", message=f"{report.open_holds} wait for a person", data=data)
    return data


def summary(report: Report) -> list[dict[str, Any]]:
    """The run's numbers as rows for people."""
    rows: list[dict[str, Any]] = [{"what": "status", "number": report.status}]
    for side, seen in report.observed.items():
        rows.append({"what": f"{side}: records read", "number": seen.read})
        rows.append({"what": f"{side}: changed since last time", "number": seen.staged})
    rows += [{"what": f"planned {name}", "number": count} for name, count in _sorted(report.totals)]
    rows += [{"what": f"writes {name}", "number": getattr(report.pushed, name)} for name in ("applied", "held", "moved", "failed")]
    rows.append({"what": "waiting to be tried again", "number": report.paused.contacts})
    return [*rows, {"what": "waiting for a person", "number": report.open_holds}]


def _sorted(totals: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted((name, count) for name, count in totals.items() if count)
