"""`syncline status`, `log`, `explain`, `verify`: what admins and auditors ask. They need the mapping and the database, no credentials."""

from __future__ import annotations

from typing import Annotated

import typer

from console.options import MOST, Json, Limit, Mapping, mapping_file


def status(mapping: Mapping = None, limit: Limit = 10, as_json: Json = False) -> int:
    """Show how things stand: contacts, what waits and why, the last runs."""
    from console import show, show_status
    from console.opener import open_sync

    with open_sync(mapping_file(mapping)) as opened:
        told = show_status.as_dict(opened, limit)
    show.document(told) if as_json else show_status.tell(told)
    return 0


def log(
    mapping: Mapping = None,
    contact: Annotated[str | None, typer.Option(metavar="ID|EMAIL", help="Only this contact.")] = None,
    run: Annotated[int | None, typer.Option(min=1, max=MOST, help="Only this run.")] = None,
    field: Annotated[str | None, typer.Option(help="Only this field.")] = None,
    since: Annotated[str | None, typer.Option(metavar="ISO|2h", help="Only since then: 2h, 3d, 2026-11-21T09:00Z.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> int:
    """Show the change log: what changed, from what to what, where, and why. The newest entries that match, oldest of them first."""
    from console import show, show_log
    from console.opener import open_sync

    with open_sync(mapping_file(mapping)) as opened:
        since_us = show.since(since, opened.now_us()) if since is not None else None
        ids = opened.contact_ids(contact) if contact is not None else [None]
        rows = [
            row
            for each in ids
            for row in opened.sync.entries(contact_id=each, run_id=run, field=field, since_us=since_us, limit=limit, ascending=False)
        ]
    rows = sorted(rows, key=lambda row: row.seq)[-limit:]
    show.document({"entries": [show_log.as_dict(row) for row in rows]}) if as_json else show_log.tell(rows)
    return 0


def explain(
    first: Annotated[str, typer.Argument(metavar="[MAPPING] EMAIL|ID", help="The mapping (mapping.yaml when left out), then who.")],
    second: Annotated[str | None, typer.Argument(hidden=True)] = None,
    as_json: Json = False,
) -> int:
    """Explain one contact: each field on both sides, who last changed it and why, which rule holds, what happens next."""
    from pathlib import Path

    from console import show, show_alone, show_contact
    from console.opener import open_sync

    file, key = (None, first) if second is None else (Path(first), second)
    with open_sync(mapping_file(file)) as opened:
        alone = [show_alone.as_dict(each) for each in opened.alone(key)]
        ids = opened.known(key) if alone else opened.contact_ids(key)
        told = [show_contact.as_dict(opened, contact_id) for contact_id in ids]
    if as_json:
        show.document({"contacts": told, "records": alone})
        return 0
    for each in told:
        show_contact.tell(each)
    for each in alone:
        show_alone.tell(each)
    return 0


def verify(mapping: Mapping = None, as_json: Json = False) -> int:
    """Prove the change log: every hash, every checkpoint kept outside the database, and that the log adds up to what is stored."""
    from console import show
    from console.opener import open_sync

    with open_sync(mapping_file(mapping)) as opened:
        checkpoints = opened.checkpoints()
        report = opened.sync.verify(checkpoints)
    if as_json:
        problems = [str(problem) for problem in report.problems]
        show.document(
            {"ok": report.ok, "entries": report.entries, "root": report.root, "checkpoints": len(checkpoints), "problems": problems}
        )
    elif report.ok:
        kept = show.plural(len(checkpoints), "outside checkpoint")
        typer.echo(f"The log verifies: {report.entries:,} entries, {kept}, and it adds up to what is stored. Root {report.root}")
    for problem in report.problems:
        typer.echo(f"the log does not verify: {problem}", err=True)
    return 0 if report.ok else 1
