"""How a sync stands, at a glance: what is linked, what waits and since when, the last runs, the way out of a stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from console.show import ago, heading, iso, plural, table, tried_again, when

if TYPE_CHECKING:
    from console.opener import Opened

RUNS = 5


def as_dict(opened: Opened, limit: int) -> dict[str, Any]:
    """Everything `tell` prints. `holds` are the oldest `limit`; `waiting` counts all of them by code."""
    sync, now_us = opened.sync, opened.now_us()
    status, paused = sync.status(), sync.paused()
    held_by = status.lease if status.lease and status.lease[1] > now_us else None
    return {
        "sync": opened.name, "mapping": opened.loaded.file, "at": iso(now_us), "at_us": now_us,
        "mapping_changed": status.mapping_version not in (None, opened.mapping.version),
        "linked": status.linked, "contacts": dict(status.contacts),
        "records": {side: dict(counts) for side, counts in status.records.items()},
        "undecided": status.dirty, "oldest_undecided": iso(status.oldest_dirty_us), "outbox": dict(status.outbox),
        "to_retry": paused.contacts, "retry_at": iso(paused.first_us), "retry_at_us": paused.first_us,
        "lease": None if held_by is None else {"holder": held_by[0], "until": iso(held_by[1])},
        "log_entries": status.log_size, "plans_kept": list(sync.planned_runs()), "waiting": dict(status.holds),
        "holds": [_hold(opened, hold) for hold in sync.holds(limit=limit)],
        "runs": [_run(run) for run in sync.runs(RUNS)],
    }  # fmt: skip


def _hold(opened: Opened, hold: Any) -> dict[str, Any]:
    contact = opened.sync.load_contact(hold.contact_id) if hold.contact_id is not None else None
    who = str(contact.view.get("email") or f"contact {hold.contact_id}") if contact else f"{hold.side} {hold.ref}"
    return {
        "contact": hold.contact_id, "who": who, "field": hold.field, "side": hold.side, "ref": hold.ref, "code": hold.code,
        "reason": hold.reason, "since": iso(hold.opened_us), "since_us": hold.opened_us,
    }  # fmt: skip


def _run(run: Any) -> dict[str, Any]:
    return {
        "run": run.id, "kind": run.kind, "status": run.status, "started": iso(run.started_us), "started_us": run.started_us,
        "ended": iso(run.ended_us), "message": run.message, "counts": dict(run.counts),
    }  # fmt: skip


def tell(told: Mapping[str, Any]) -> None:
    """Print it, most urgent things in words, the rest in tables."""
    typer.echo(f"{told['sync']}: {_last(told)}")
    records = "; ".join(f"{side} {_counts(counts)}" for side, counts in told["records"].items())
    typer.echo(f"  {plural(told['linked'], 'contact')} linked, {told['log_entries']:,} log entries; records: {records}")
    for line in _notes(told):
        typer.echo(f"  {line}")
    if told["waiting"]:
        heading(f"Waiting for a person: {_counts(told['waiting'])}")
        heads = ("who", "what", "why", "since")
        table(
            heads,
            [
                (h["who"], h["field"] or "all of it", f"{h['reason']} [{h['code']}]", ago(h["since_us"], told["at_us"]))
                for h in told["holds"]
            ],
        )
    if told["runs"]:
        heading("Last runs")
        table(
            ("run", "kind", "status", "started", "said"),
            [(r["run"], r["kind"], r["status"], when(r["started_us"]), r["message"]) for r in told["runs"]],
        )


def _last(told: Mapping[str, Any]) -> str:
    if not told["runs"]:
        return f"no run yet; see what one would do: syncline plan {told['mapping']}"
    last = told["runs"][0]
    return f"last run {last['run']} ({last['kind']}) {ago(last['started_us'], told['at_us'])}: {last['status'].replace('_', ' ')}"


def _notes(told: Mapping[str, Any]) -> list[str]:
    """What is out of the ordinary, each with what to do."""
    file, notes = told["mapping"], []
    if told["lease"]:
        notes.append(f"a run is under way: {told['lease']['holder']}, its lease ends {told['lease']['until']}")
    if told["mapping_changed"]:
        notes.append(f"the mapping changed since the last run: the next one reads and compares everything (syncline plan {file})")
    if told["undecided"]:
        oldest = told["oldest_undecided"] or "at an unknown time"
        notes.append(f"{plural(told['undecided'], 'record')} seen and not yet decided, the oldest changed {oldest}")
    if told["to_retry"]:
        notes.append(tried_again(told["to_retry"], told["retry_at_us"]))
    if told["outbox"]:
        notes.append(f"writes under way: {_counts(told['outbox'])}; the next run finishes them")
    notes += [f"the plan of run {run} is kept; to let it through: syncline sync {file} --approve {run}" for run in told["plans_kept"]]
    return notes


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"
