"""`syncline sandbox` and `syncline demo`: both systems as local twins, to try everything without an account anywhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from console.options import Json
from syncline.errors import UsageError

Contacts = Annotated[int, typer.Option(min=0, help="How many invented people.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same people.")]


def sandbox(
    folder: Annotated[Path, typer.Option("--dir", help="Where sandbox.env is written.")] = Path("."),
    contacts: Contacts = 300,
    seed: Seed = 7,
) -> int:
    """Run local twins of both systems until interrupted; their addresses and keys go to DIR/sandbox.env."""
    import signal
    from contextlib import suppress

    from sandbox.serve import start_twins

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), start_twins(contacts, seed) as twins:
        file = folder / "sandbox.env"
        _write(file, "".join(f"{name}={value}\n" for name, value in twins.env().items()))
        typer.echo(f"ready: {contacts} people; CRM {twins.hubspot.url}, marketing {twins.mailchimp.url}")
        typer.echo(f"keys in {file}; in another terminal: set -a; . {file}; set +a; syncline plan   (Ctrl-C here ends it)")
        sys.stdout.flush()
        signal.pause()
    return 0


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None


def demo(contacts: Contacts = 300, seed: Seed = 7, as_json: Json = False) -> int:
    """Show it all in two minutes: messy people on both sides, edits, conflicts, deletes, and a verdict by an outside oracle."""
    from console.demo import show_demo

    return show_demo(contacts, seed, as_json=as_json)
