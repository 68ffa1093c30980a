"""`syncline connectors` and `syncline check`: which systems there are, and whether a mapping and both accounts fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from console.options import Json, Mapping, mapping_file
from syncline.errors import SyncError
from syncline.records import SIDES, Side

if TYPE_CHECKING:
    from flows.settings import Context
    from syncline.ports import Capabilities

INCREMENTAL = {"modified_since": "reads what changed", "none": "reads everything every time"}
EVIDENCE = {"field": "knows when each field changed", "record": "knows when a record changed", "none": "knows no times of change"}
DELETES = {"by_absence": "deletes show in full sweeps only", "feed": "tells deletes", "flag": "flags archived records"}
RECHECK = {
    "conditional": "refuses stale writes itself",
    "batch_read": "is read again just before a write",
    "delta_poll": "is polled again just before writes",
}  # fmt: skip
MERGES = {"none": "", "absorbed": "tells merges", "pointer": "tells merges"}


def in_words(capabilities: Capabilities) -> list[str]:
    """What a platform can do, as an admin would say it."""
    said = [
        INCREMENTAL[capabilities.incremental], EVIDENCE[capabilities.evidence], DELETES[capabilities.deletes], MERGES[capabilities.merges],
        RECHECK[capabilities.recheck], "brings archived records back" if capabilities.can_restore else "",
        f"{capabilities.batch_write} writes a call",
    ]  # fmt: skip
    return [text for text in said if text]


def connectors(as_json: Json = False) -> int:
    """Show which systems can be connected, what each can do and which variables it needs."""
    from connectors.registry import available, connector_class, variable
    from console import show

    rows = []
    for info in available():
        words = in_words(connector_class(info.name).capabilities)
        needs = [variable(info.name, secret) for secret in info.secrets]
        rows.append(
            {"name": info.name, "title": info.title, "origin": info.origin, "objects": list(info.objects), "can": words, "needs": needs}
        )
    if as_json:
        show.document({"connectors": rows})
        return 0
    heads = ("name", "title", "from", "objects", "variables it needs")
    show.table(heads, [(r["name"], r["title"], r["origin"], "\n".join(r["objects"]), "\n".join(r["needs"])) for r in rows])
    for row in rows:
        typer.echo(f"{row['name']}: {'; '.join(row['can'])}")
    return 0


def check(mapping: Mapping = None, as_json: Json = False) -> int:
    """Check a mapping, both accounts and whether they fit: every problem with its line. Writes nothing."""
    from console import show
    from flows.settings import open_context

    context = open_context(mapping_file(mapping))
    try:
        found = {side: _side(context, side) for side in SIDES}
        problems = _lint(context)
    finally:
        context.close()
    failed = [side["exit_code"] for side in found.values() if side["error"]]
    code = max(failed, default=0) or (2 if any(p["severity"] == "error" for p in problems) else 0)
    if as_json:
        show.document({"mapping": context.loaded.file, "sides": found, "problems": problems, "exit_code": code})
        return code
    _tell(context.loaded.file, found, problems)
    return code


def _side(context: Context, side: Side) -> dict[str, Any]:
    """Ask one system who we are and what its object looks like."""
    connector, name = context.connectors[side], context.mapping.sides[side].object
    told: dict[str, Any] = {
        "system": connector.title, "object": name, "account": None, "scopes": [], "missing_scopes": [], "fields": 0,
        "error": None, "exit_code": 0,
    }  # fmt: skip
    try:
        health = connector.check()
        told |= {"account": health.account, "scopes": list(health.scopes), "missing_scopes": list(health.missing_scopes)}
        context.schemas[side] = connector.describe(name)
        told["fields"] = len(context.schemas[side].fields)
    except SyncError as error:
        told |= {"error": str(error), "exit_code": error.exit_code}
    if told["missing_scopes"] and not told["error"]:
        told |= {"error": f"{connector.title} grants no {', '.join(told['missing_scopes'])}; add it to the credentials", "exit_code": 2}
    return told


def _lint(context: Context) -> list[dict[str, Any]]:
    from mappings.check import lint

    if len(context.schemas) < len(SIDES):
        return []
    capabilities = {side: connector.capabilities for side, connector in context.connectors.items()}
    problems = lint(context.loaded, context.schemas, capabilities)
    return [{"file": p.file, "line": p.line, "severity": p.severity, "text": p.text} for p in problems]


def _tell(file: str, found: dict[Side, dict[str, Any]], problems: list[dict[str, Any]]) -> None:
    for side, told in found.items():
        if told["error"]:
            typer.echo(f"{side}: {told['error']}", err=True)
        else:
            typer.echo(f"{side}: {told['system']}, {told['account']}: {told['fields']} fields of {told['object']}, all permissions there")
    for p in problems:
        typer.echo(f"{p['file']}:{p['line']}: {p['severity']}: {p['text']}", err=p["severity"] == "error")
    errors = sum(p["severity"] == "error" for p in problems)
    if not errors and not any(told["error"] for told in found.values()):
        typer.echo(f"{file} fits both systems" + (f", with {len(problems)} to know about" if problems else ""))
