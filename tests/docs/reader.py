"""A reader who types every command of a page, in order, into an empty folder, with twins in place of both vendors.

`syncline` runs in this process; `cd`, `cp` and `make -n` are done as a shell would; what people type elsewhere (a Prefect server, git, pip)
is only looked at. `syncline sandbox` starts twins that last until the page ends; `syncline demo`, which has tests of its own, is parsed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer

from console.app import app, run
from sandbox.handles import Twins
from sandbox.serve import start_twins
from tests.docs.pages import ROOT, Command

ELSEWHERE = {"prefect", "pip", "python", "git", "export", "sqlite3", "pg_dump", "psql"}
PEOPLE = 40


class Reader:
    """Types commands. `said`: what the last one answered on both streams."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], stack: ExitStack) -> None:
        self.said = ""
        self._capsys, self._stack = capsys, stack
        os.chdir(folder)

    def connect(self, contacts: int = PEOPLE, seed: int = 7) -> Twins:
        """Twins of both vendors, until the page ends; their keys in the environment."""
        twins = self._stack.enter_context(start_twins(contacts, seed, rate=False))
        os.environ.update(twins.env())
        return twins

    def type(self, command: Command) -> None:
        """Run one command and hold its exit code and output against the page."""
        words = shlex.split(command.text.removesuffix("&"))
        code = self._run(words)
        assert code == command.exits, f"{command.where}: `{command.text}` ended with {code}:\n{self.said}"
        for line in command.shown:
            assert re.search(_pattern(line), _plain(self.said)), f"{command.where}: nothing like this was said: {line}\n{self.said}"

    def _run(self, words: list[str]) -> int:
        match words:
            case ["syncline", "sandbox", *rest]:
                return self._sandbox(rest)
            case ["syncline", "demo", *rest]:
                return self._parse("demo", rest)
            case ["syncline", *rest]:
                return self._syncline(rest)
            case ["cd", folder]:
                os.chdir(folder)
                return 0
            case ["cp", source, target]:
                shutil.copy(source, target)
                return 0
            case ["make", *rest]:
                return subprocess.run(["make", "-n", *rest], cwd=ROOT, capture_output=True, check=False).returncode
            case [first, *_] if first in ELSEWHERE:
                return 0
        raise AssertionError(f"a reader cannot type this: {words}")

    def _syncline(self, words: list[str]) -> int:
        """As typed, and back in the folder afterwards."""
        here = Path.cwd()
        self._capsys.readouterr()
        try:
            return run(words)
        finally:
            self.said = "".join(self._capsys.readouterr())
            os.chdir(here)

    def _sandbox(self, words: list[str]) -> int:
        context = typer.main.get_command(app).commands["sandbox"].make_context("sandbox", words)  # type: ignore[attr-defined]
        twins = self.connect(context.params["contacts"], context.params["seed"])
        (Path(context.params["folder"]) / "sandbox.env").write_text("".join(f"{k}={v}\n" for k, v in twins.env().items()))
        for name in twins.env():
            del os.environ[name]
        return 0

    def _parse(self, command: str, words: list[str]) -> int:
        typer.main.get_command(app).commands[command].make_context(command, words)  # type: ignore[attr-defined]
        return 0


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _pattern(line: str) -> str:
    """A shown line as an expression: digits are any number, runs of spaces one space, `…` anything."""
    parts = (re.sub(r"\d+", r"\\d+", re.escape(_plain(part).strip()).replace("\\ ", " ")) for part in line.split("…"))
    return ".*?".join(parts)
