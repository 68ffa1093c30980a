"""change-log.md: every question an auditor may copy is asked of a real log, and answers; those that must find nothing find nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from console.app import run
from sandbox.handles import Twins
from sandbox.serve import start_twins
from state.tables import CHANGE_LOG
from tests.docs.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "change-log.md"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sync that has stopped once, was approved, linked, created and changed people, and holds one."""
    folder = tmp_path_factory.mktemp("audited")
    with start_twins(40, 7, rate=False) as twins, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in twins.env().items():
            patch.setenv(name, value)
        assert run(["init", "p"]) == 0
        patch.chdir(folder / "p")
        assert [run(["sync"]), run(["sync", "--approve", "1"])] == [3, 0]
        disturb(twins)
        assert [run(["sync"]), run(["sync", "--full"])] == [1, 1]
    return folder / "p" / ".syncline" / "state.sqlite"


def disturb(twins: Twins) -> None:
    """One unknown stage, one delete, one edit: holds, tombstones and changes for the questions to find."""
    linked = {row["email_address"].lower() for row in twins.mailchimp.records() if row["state"] == "live"}
    people = [row for row in twins.hubspot.records() if row["state"] == "live" and row["email"] in linked]
    twins.hubspot.edit("update", email=people[0]["email"], fields={"lifecyclestage": "other"})
    twins.hubspot.edit("delete", email=people[1]["email"])
    twins.hubspot.edit("update", email=people[2]["email"], fields={"firstname": "Renamed"})


@pytest.mark.parametrize("block", blocks(PAGE, "sql"), ids=lambda block: block.where)
def test_a_question_of_an_auditor_is_answered(block: Block, database: Path) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(block.text, {"contact": 1, "run": 1, "seq": 1}).fetchall()
    if block.text.startswith("-- finds nothing"):
        assert rows == []
    else:
        assert rows


def test_a_person_is_erased_as_the_page_says_and_the_log_verifies(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(database.parents[1], tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    assert run(["explain", "1"]) == 0
    done: dict[str, object] = {}
    for block in blocks(PAGE, "python"):
        exec(compile(block.text, block.where, "exec"), done)
    assert done["erased"] is True
    capsys.readouterr()
    assert run(["verify"]) == 0
    assert run(["log", "--contact", "1"]) == 0
    said = capsys.readouterr().out
    assert "The log verifies" in said
    assert "(erased)" in said
    assert "@people.example" not in said


def test_every_column_is_explained() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{column.name}` |" in text for column in CHANGE_LOG.columns)
