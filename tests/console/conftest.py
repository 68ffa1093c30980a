"""Twins once a session, a project folder for each test, and the command as a person types it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.app import run
from sandbox.handles import Twins
from sandbox.serve import start_twins


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture(scope="session")
def running_twins() -> Iterator[Twins]:
    with start_twins(rate=False) as twins:
        yield twins


@pytest.fixture
def twins(running_twins: Twins) -> Twins:
    running_twins.reset()
    return running_twins


@pytest.fixture
def syncline(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run one command line in this process."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = run([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncline: Command) -> Path:
    """A fresh project, made by `init`, that this process stands in. No SYNCLINE variable is set."""
    folder = tmp_path / "project"
    monkeypatch.chdir(tmp_path)
    assert syncline("init", folder).code == 0
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def connected(project: Path, twins: Twins, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with the twins' keys in the environment."""
    for name, value in twins.env().items():
        monkeypatch.setenv(name, value)
    return project


@pytest.fixture
def pair(connected: Path, twins: Twins, syncline: Command) -> str:
    """One person in both systems, linked and in step; returns the address."""
    email = "ana@people.example"
    make_person(twins, email)
    for _ in range(3):
        last = syncline("sync", "--json")
        assert last.code == 0, last.err
    assert last.json["pushed"] == {"applied": 0, "held": 0, "moved": 0, "failed": 0}
    return email


def make_person(twins: Twins, email: str, **crm: str) -> None:
    """The same person in both systems, with a first name of each side's own spelling when given."""
    twins.hubspot.edit("create", fields={"email": email, "firstname": "Ana", "lifecyclestage": "lead", **crm})
    twins.mailchimp.edit("create", email=email, fields={"FNAME": "Ana", "STAGE": "LEAD"})
