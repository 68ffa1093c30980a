"""init, connectors, the options of the command itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from console.project import FILES
from mappings.load import load
from syncline import __version__
from tests.console.conftest import Command


def test_init_makes_a_whole_project_and_says_what_comes_next(tmp_path: Path, syncline: Command) -> None:
    said = syncline("init", tmp_path / "new" / "one")
    assert said.code == 0
    assert {path.name for path in (tmp_path / "new" / "one").iterdir()} == set(FILES)
    assert "syncline check" in said.out
    assert load(tmp_path / "new" / "one" / "mapping.yaml").model.name == "contacts"


def test_init_names_every_variable_the_connectors_need_and_hides_them_from_git(project: Path, syncline: Command) -> None:
    example = (project / ".env.example").read_text()
    needs = {row["name"]: row["needs"] for row in syncline("connectors", "--json").json["connectors"]}
    assert all(f"{name}=\n" in example for name in [*needs["hubspot"], *needs["mailchimp"]])
    assert ".env" in (project / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", FILES)
def test_init_never_overwrites(tmp_path: Path, syncline: Command, name: str) -> None:
    (tmp_path / name).write_text("mine")
    said = syncline("init", tmp_path)
    assert said.code == 2
    assert name in said.err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "mine"}


def test_connectors_tells_names_needs_and_abilities(syncline: Command) -> None:
    said = syncline("connectors")
    assert said.code == 0
    for word in ("hubspot", "mailchimp", "tryton", "SYNCLINE_HUBSPOT_TOKEN", "members", "is read again just before a write"):
        assert word in said.out
    rows = {row["name"]: row for row in syncline("connectors", "--json").json["connectors"]}
    assert rows["tryton"]["needs"] == ["SYNCLINE_TRYTON_USER", "SYNCLINE_TRYTON_PASSWORD"]
    assert all(row["origin"] == "syncline" for row in rows.values())


def test_version_and_help(syncline: Command) -> None:
    assert syncline("--version").out.strip() == __version__
    said = syncline("--help")
    assert said.code == 0
    assert all(
        command in said.out for command in ("init", "check", "plan", "sync", "status", "log", "explain", "verify", "sandbox", "demo")
    )


def test_the_project_option_works_in_another_folder(
    connected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncline: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    assert syncline("--project", connected, "status", "--json").json["sync"] == "contacts"
    assert (connected / ".syncline" / "state.sqlite").exists()
    assert not (tmp_path / ".syncline").exists()


def test_dotenv_is_read_and_the_environment_wins(project: Path, twins, monkeypatch: pytest.MonkeyPatch, syncline: Command) -> None:
    env = twins.env()
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    for name in env:  # so that what .env sets here is taken back after the test
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    assert syncline("check", "--json").code == 0
    monkeypatch.setenv("SYNCLINE_HUBSPOT_TOKEN", "another")
    assert syncline("check", "--json").code == 2


def test_starting_a_command_loads_nothing_heavy() -> None:
    """`sync` runs every few minutes: no Prefect, no pandas of our own, nothing before it is needed."""
    code = "import sys, console.app; print(sorted({'prefect', 'sqlalchemy', 'pydantic', 'requests', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_round_loads_no_prefect() -> None:
    code = "import sys, flows.round, flows.settings, console.rounds, console.opener; print('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_a_projects_deployments_are_ours_for_its_own_mapping(project: Path) -> None:
    ours = (Path(__file__).parents[2] / "prefect.yaml").read_text(encoding="utf-8")
    assert (project / "prefect.yaml").read_text(encoding="utf-8") == ours.replace("mappings/contacts.yaml", "mapping.yaml")
