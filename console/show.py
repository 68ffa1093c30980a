"""Words, times and tables for people, and JSON for programs. Commands import it; rich is imported when something is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from syncline.errors import UsageError
from syncline.records import MISSING, is_blank

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 160
"""Columns when nobody's terminal says how many there are."""

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def document(data: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def screen(*, stderr: bool = False) -> Console:
    """Where people read. Nothing in values is taken for markup."""
    from rich.console import Console

    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)
    if not console.is_terminal and console.width == 80:
        console.width = PIPE_WIDTH
    return console


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A plain table; numbers stand right, and columns of single words (names, addresses, variables) are never broken."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    drawn = Table(title=Text(title, style="bold") if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for at, head in enumerate(heads):
        right = bool(rows) and all(isinstance(row[at], int) for row in rows)
        words = all(" " not in str(row[at]) for row in rows)
        drawn.add_column(Text(head), justify="right" if right else "left", overflow="fold", no_wrap=words)
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    screen().print(drawn)


def heading(text: str) -> None:
    """A short section heading."""
    screen().print(f"\n{text}", style="bold")


def value(shown: Any) -> str:
    """A canonical or native value as people write it; long ones are cut."""
    if shown is MISSING:
        return "(not shown)"
    if is_blank(shown) or shown == []:
        return "(blank)"
    if isinstance(shown, bool):
        return "yes" if shown else "no"
    if isinstance(shown, (list, tuple)):
        return ", ".join(str(part) for part in shown)
    text = str(shown) if not isinstance(shown, Mapping) else json.dumps(shown, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


def when(at_us: int | None) -> str:
    """An instant as people and programs both read it: UTC, whole seconds."""
    if at_us is None:
        return "never"
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at_us: int | None) -> str | None:
    """An instant for programs, to the microsecond."""
    if at_us is None:
        return None
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000).isoformat().replace("+00:00", "Z")


def ago(at_us: int, now_us: int) -> str:
    """How long ago, roughly."""
    seconds = max(0, (now_us - at_us) // 1_000_000)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def since(text: str, now_us: int) -> int:
    """`2h`, `3d`, `2026-11-21` or `2026-11-21T09:00Z` → microseconds since 1970; no zone means UTC. Raises UsageError."""
    if found := re.fullmatch(r"([0-9]{1,9})([smhdw])", text.strip()):
        return max(0, now_us - int(found[1]) * UNITS_S[found[2]] * 1_000_000)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"--since {text[:40]!r} is no time: write 2h, 3d, 2026-11-21 or 2026-11-21T09:00Z") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def plural(count: int, noun: str) -> str:
    """`1 contact`, `2 contacts`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def tried_again(contacts: int, first_us: int | None) -> str:
    """How many wait out the pause after a failed write, and till when."""
    waits = f"{plural(contacts, 'contact')} {'waits' if contacts == 1 else 'wait'} to be tried again after a failed write"
    return f"{waits}, {'' if contacts == 1 else 'the first '}from {when(first_us)} on"
