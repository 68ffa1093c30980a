"""The `syncline` command: which commands there are, how errors end, what exit codes say. The entry point is `main`.

    0 in step   1 something held or failed   2 wrong usage, settings or mapping   3 stopped by a guard   4 another run holds the lease
    5 a system could not be reached   130 interrupted

Commands are plain functions that return an exit code. This module and theirs import nothing heavy: each command imports what it needs.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from console import project, questions, rounds, stage, systems
from syncline import __version__
from syncline.errors import SyncError, UsageError

TRACEBACK = "SYNCLINE_TRACEBACK"
INTERRUPTED = 130
CUT_SHORT = "interrupted; what was begun is finished by the next run"
COMMANDS = (
    project.init, systems.connectors, systems.check, rounds.plan, rounds.sync, questions.status, questions.log, questions.explain,
    questions.verify, stage.sandbox, stage.demo,
)  # fmt: skip

app = typer.Typer(
    name="syncline", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Keep a CRM and a marketing platform in step, field by field, with a change log that nobody can quietly edit.",
)  # fmt: skip


@app.callback(invoke_without_command=True)
def syncline(
    ctx: typer.Context,
    folder: Annotated[Path | None, typer.Option("--project", help="Work in this folder, as if started there.")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Settings come from the environment and from .env in the project's folder; the environment wins."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    enter(folder)


def enter(folder: Path | None) -> None:
    """Go to the project's folder and load its .env, which never overrides what the environment says already."""
    if folder is not None:
        try:
            os.chdir(folder)
        except OSError as error:
            raise UsageError(f"cannot work in {folder}: {error.strerror}") from None
    if Path(".env").is_file():
        from dotenv import load_dotenv

        load_dotenv(".env", override=False)


for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """What the `syncline` script calls."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Every error is one message on stderr, without personal data, secrets or a traceback."""
    try:
        _readable(arguments)
        code = int(app(list(arguments), standalone_mode=False, prog_name="syncline") or 0)
        return _failed(CUT_SHORT, code, arguments) if code == INTERRUPTED else code
    except SyncError as error:
        return _failed(str(error), error.exit_code, arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _failed(CUT_SHORT, INTERRUPTED, arguments)
    except Exception as error:  # noqa: BLE001 - the last door: a defect must not spill people's data over a screen
        return _crashed(error, arguments)


def _readable(arguments: Sequence[str]) -> None:
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError:
        raise UsageError("an argument is no text in UTF-8; check how it was typed or pasted") from None


def _failed(message: str, code: int, arguments: Sequence[str]) -> int:
    typer.echo(message, err=True)
    if "--json" in arguments:
        typer.echo(json.dumps({"error": message, "exit_code": code}, ensure_ascii=False, indent=2))
    return code


def _crashed(error: Exception, arguments: Sequence[str]) -> int:
    """Usage errors say themselves what is wrong; anything else is a defect of ours, named by its place alone: its text may hold values."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        usage = getattr(error, "ctx", None)
        hint = f"; try `{usage.command_path} --help`" if usage else ""
        return _failed(f"{error.format_message()}{hint}", int(error.exit_code), arguments)
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(at.filename).parent.name}/{Path(at.filename).name}:{at.lineno}"
    return _failed(
        f"a defect of Syncline: {type(error).__name__} at {place}; set {TRACEBACK}=1 to see more, and please report it", 1, arguments
    )
