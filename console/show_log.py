"""Log entries as people and programs read them. `questions` and the demo use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from console.show import iso, value, when
from console.show_plan import entry_line
from syncline.conflict import TITLE

if TYPE_CHECKING:
    from state.log import LogRow


def tell(rows: Iterable[LogRow]) -> None:
    """One line an entry; the newest last."""
    typer.echo("\n".join(line(row) for row in rows) or "no entry of the log matches")


def line(row: LogRow) -> str:
    """`#12 2026-11-21 09:00:00 UTC  run 3  contact 7  stage: lead → mql in marketing  [furthest: …] (applied)`."""
    contact = f"  contact {row.entry.contact_id}" if row.entry.contact_id is not None else ""
    run = f"  run {row.run_id}" if row.run_id is not None else ""
    result = "" if row.result == "agreed" else f" ({row.result})"
    return f"#{row.seq} {when(row.at_us)}{run}{contact}  {what(row)}{result}"


def brief(row: LogRow) -> str:
    """As `line`, for a reader who knows when it was and of whom it speaks."""
    result = "" if row.result == "agreed" else f" ({row.result})"
    return f"#{row.seq} {SPOKEN[row.entry.kind](row) if row.entry.kind in SPOKEN else entry_line(row.entry)}{result}"


def what(row: LogRow) -> str:
    """What an entry says, with its source and evidence where it has them."""
    entry = row.entry
    if row.erased:
        return f"{entry.kind}{' ' + entry.field if entry.field else ''}: (erased)"
    return SPOKEN[entry.kind](row) if entry.kind in SPOKEN else f"{entry_line(entry)}{_source(row)}"


def _source(row: LogRow) -> str:
    entry = row.entry
    evidence = f", by {entry.evidence} time" if entry.evidence != "none" else ""
    return f" from {TITLE[entry.side]} {entry.ref}{evidence}" if entry.side and entry.ref and entry.kind == "change" else ""


def _receipt(row: LogRow) -> str:
    results: dict[str, int] = {}
    for _seq, result in row.entry.new.get("results", ()):
        results[result] = results.get(result, 0) + 1
    return f"receipt: {', '.join(f'{count} {result}' for result, count in sorted(results.items())) or 'new records'}"


def _waits(row: LogRow) -> str:
    entry = row.entry
    why = f": {entry.reason}" if entry.reason else ""
    return f"{entry.kind} of {entry.field or 'the whole contact'}{why}  [{entry.rule}]"


def _config(row: LogRow) -> str:
    old, new = (value(each)[:12] for each in (row.entry.old, row.entry.new))
    return f"{row.entry.field}: {old} → {new}  [{row.entry.rule}]"


SPOKEN = {"receipt": _receipt, "hold": _waits, "release": _waits, "config": _config}


def as_dict(row: LogRow) -> dict[str, Any]:
    """One entry for programs; `seq` is its id for ever."""
    from console.show_plan import entry_dict

    head = {"seq": row.seq, "at": iso(row.at_us), "run": row.run_id, "contact": row.entry.contact_id}
    return {**head, **entry_dict(row.entry), "mapping": row.mapping_version, "result": row.result, "erased": row.erased}


def story(rows: Iterable[LogRow]) -> Iterator[LogRow]:
    """The entries that tell what happened to people; receipts only tell that writes arrived."""
    return (row for row in rows if row.entry.kind != "receipt")
