"""Whatever is wrong: the right exit code and one clear message, without a traceback, a secret or an address."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.handles import Twins
from tests.console.conftest import Command

SECRET = "pat-very-secret"


@dataclass(frozen=True)
class World:
    twins: Twins
    monkeypatch: pytest.MonkeyPatch


def broken_mapping(_: World) -> None:
    mapping = Path("mapping.yaml")
    mapping.write_text(mapping.read_text().replace("rule: furthest", "rule: farthest").replace("type: phone", "type: fone"))


def no_yaml(_: World) -> None:
    Path("mapping.yaml").write_text("version: [1\n")


def no_mapping(_: World) -> None:
    Path("mapping.yaml").unlink()


def no_token(world: World) -> None:
    world.monkeypatch.delenv("SYNCLINE_HUBSPOT_TOKEN")


def wrong_token(world: World) -> None:
    world.monkeypatch.setenv("SYNCLINE_HUBSPOT_TOKEN", SECRET)


def wrong_key(world: World) -> None:
    world.monkeypatch.setenv("SYNCLINE_MAILCHIMP_API_KEY", f"{SECRET}-us21")


def missing_scope(world: World) -> None:
    world.twins.hubspot.faults(scopes=["crm.objects.contacts.read"])


def unreachable(world: World) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    world.monkeypatch.setenv("SYNCLINE_MAILCHIMP_BASE_URL", f"http://127.0.0.1:{port}")


def html_answer(world: World) -> None:
    world.twins.mailchimp.faults(on="GET ", kind="html", status=200, times=99)


def newer_database(_: World) -> None:
    Path(".syncline").mkdir()
    with sqlite3.connect(Path(".syncline") / "state.sqlite") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()


def no_database(_: World) -> None:
    Path(".syncline").mkdir()
    (Path(".syncline") / "state.sqlite").write_bytes(b"this is a text, not a database, and long enough to be read as one" * 20)


def odd_database_url(world: World) -> None:
    world.monkeypatch.setenv("SYNCLINE_DATABASE_URL", "mysql://root:hunter2@nowhere/x")


def wrong_audience(_: World) -> None:
    mapping = Path("mapping.yaml")
    mapping.write_text(mapping.read_text().replace("8c1f00", "ffffff"))


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are repeated as ever, without the pauses between them."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


Case = tuple[Callable[[World], None], str, int, str]
ALL = ("check", "plan", "sync")
CASES: list[Case] = [
    *((broken_mapping, command, 2, "mapping.yaml:") for command in (*ALL, "status", "log", "verify")),
    *((no_yaml, command, 2, "mapping.yaml:") for command in ALL),
    *((no_mapping, command, 2, "there is no mapping.yaml here") for command in (*ALL, "status", "log", "verify")),
    *((no_token, command, 2, "SYNCLINE_HUBSPOT_TOKEN") for command in ALL),
    *((wrong_token, command, 2, "HubSpot") for command in ALL),
    *((wrong_key, command, 2, "Mailchimp") for command in ALL),
    *((missing_scope, command, 2, "HubSpot") for command in ALL),
    *((unreachable, command, 5, "Mailchimp") for command in ALL),
    *((html_answer, command, 5, "Mailchimp") for command in ALL),
    *((newer_database, command, 2, "newer Syncline") for command in (*ALL, "status", "log", "verify")),
    *((no_database, command, 2, "database") for command in ("sync", "status", "verify")),
    *((odd_database_url, command, 2, "mysql is not supported") for command in ("sync", "status")),
    *((wrong_audience, command, 2, "Mailchimp") for command in ALL),
]


@pytest.mark.parametrize(("spoil", "command", "code", "words"), CASES, ids=[f"{case[0].__name__}-{case[1]}" for case in CASES])
def test_one_clear_message_and_the_right_exit_code(
    connected: Path,
    twins: Twins,
    monkeypatch: pytest.MonkeyPatch,
    syncline: Command,
    spoil: Callable[[World], None],
    command: str,
    code: int,
    words: str,
) -> None:
    spoil(World(twins, monkeypatch))
    said = syncline(command)
    assert words in said.err
    assert said.code == code
    assert "Traceback" not in said.err and "defect" not in said.err
    for hidden in (SECRET, "hunter2", twins.hubspot.token, twins.mailchimp.key, "people.example"):
        assert hidden not in said.err + said.out
    assert all(not twin.effects() for twin in (twins.hubspot, twins.mailchimp))


def test_all_problems_of_a_mapping_are_said_at_once(
    connected: Path, twins: Twins, monkeypatch: pytest.MonkeyPatch, syncline: Command
) -> None:
    broken_mapping(World(twins, monkeypatch))
    said = syncline("plan")
    assert "did you mean furthest" in said.err and "did you mean phone" in said.err
    assert len(said.err.strip().splitlines()) == 2


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("sync", "--nonsense"), ("sync", "--approve", "one"), ("explain",), ("plan", "--limit", "0")]
)
def test_wrong_usage_is_2_and_points_to_help(project: Path, syncline: Command, arguments: tuple[str, ...]) -> None:
    said = syncline(*arguments)
    assert said.code == 2
    assert len(said.err.strip().splitlines()) == 1 and "--help" in said.err


def test_a_time_that_is_none(project: Path, syncline: Command) -> None:
    said = syncline("log", "--since", "yesterday")
    assert said.code == 2
    assert "write 2h, 3d" in said.err


def test_two_runs_at_once_the_second_is_told_who_holds_the_lease(pair: str, syncline: Command) -> None:
    with sqlite3.connect(Path(".syncline") / "state.sqlite") as connection:
        connection.execute("UPDATE lease SET holder = 'elsewhere:1', expires_us = 4102444800000000")
    connection.close()
    said = syncline("sync")
    assert said.code == 4
    assert "elsewhere:1" in said.err
    assert "a run is under way: elsewhere:1" in syncline("status").out


def test_a_project_folder_that_is_not_there(tmp_path: Path, syncline: Command) -> None:
    said = syncline("--project", tmp_path / "nowhere", "status")
    assert said.code == 2
    assert "cannot work in" in said.err


def test_a_defect_is_named_by_its_place_and_spills_nothing(project: Path, monkeypatch: pytest.MonkeyPatch, syncline: Command) -> None:
    """A broken installation stands in for a defect: its error's text may hold anything."""
    monkeypatch.setattr("mappings.load.read_yaml", lambda text: {}["ana@people.example"])
    said = syncline("status")
    assert said.code == 1
    assert "a defect of Syncline: KeyError at" in said.err
    assert "people.example" not in said.err + said.out
