"""status, log, explain, verify: answered from memory alone, without any credential."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sandbox.handles import Twins
from tests.console.conftest import Command, make_person

DATABASE = Path(".syncline") / "state.sqlite"


@pytest.fixture
def alone(pair: str, twins: Twins, monkeypatch: pytest.MonkeyPatch, syncline: Command) -> str:
    """The pair after one more edit, with every credential gone and nobody to call."""
    twins.hubspot.edit("update", email=pair, fields={"firstname": "Anabel"})
    assert syncline("sync").code == 0
    for name in twins.env():
        monkeypatch.delenv(name)
    return pair


def test_status_of_a_project_that_never_ran(project: Path, syncline: Command) -> None:
    said = syncline("status")
    assert said.code == 0
    assert "no run yet; see what one would do: syncline plan mapping.yaml" in said.out


def test_status_counts_and_lists_what_waits(connected: Path, twins: Twins, syncline: Command) -> None:
    make_person(twins, "both@people.example", lifecyclestage="other")
    assert syncline("sync").code == 1
    said = syncline("status")
    assert said.code == 0
    assert "1 contact linked" in said.out
    assert "Waiting for a person: 1 UnknownChoice" in said.out and "both@people.example" in said.out
    told = syncline("status", "--json").json
    assert (told["linked"], told["waiting"], told["runs"][0]["status"]) == (1, {"UnknownChoice": 1}, "held")
    assert told["holds"][0]["field"] == "stage"


def test_status_says_when_the_mapping_changed(alone: str, syncline: Command) -> None:
    mapping = Path("mapping.yaml")
    mapping.write_text(mapping.read_text().replace("on_blank: ignore ", "on_blank: clear "))
    assert "the mapping changed since the last run" in syncline("status").out


def test_the_log_tells_what_changed_where_and_why(alone: str, syncline: Command) -> None:
    said = syncline("log", "--contact", alone.upper(), "--field", "first_name")
    assert said.code == 0
    assert "first_name: Ana → Anabel in marketing  [one_side: only the CRM changed it] from the CRM" in said.out
    assert "(applied)" in said.out


def test_the_log_is_filtered_by_contact_run_field_time_and_limit(alone: str, syncline: Command) -> None:
    def seqs(*options: object) -> list[int]:
        return [entry["seq"] for entry in syncline("log", "--json", *options).json["entries"]]

    everything = seqs()
    assert everything == sorted(everything) and len(everything) > 3
    assert seqs("--limit", 2) == everything[-2:]
    assert seqs("--contact", 1, "--field", "first_name") == [everything[-2]]
    assert seqs("--run", 4) == everything[-2:]
    assert seqs("--since", "1h") == everything
    assert seqs("--since", "2999-01-01") == []


def test_explain_tells_each_field_its_rule_and_who_set_it(alone: str, syncline: Command) -> None:
    said = syncline("explain", alone)
    assert said.code == 0
    assert "Contact 1, active" in said.out and "Anabel" in said.out
    assert "the furthest wins" in said.out
    assert "Next run: nothing to do" in said.out
    [told] = syncline("explain", "mapping.yaml", alone, "--json").json["contacts"]
    name = next(field for field in told["fields"] if field["field"] == "first_name")
    assert name["now"] == name["shadow"] == {"crm": "Anabel", "marketing": "Anabel"}
    assert (name["last"]["rule"], name["last"]["side"]) == ("one_side", "crm")
    assert {field["field"]: field["rule"] for field in told["fields"]}["stage"].startswith("the furthest wins: lead < mql < sql < customer")
    assert told["next"] == []


def test_explain_tells_what_waits_and_what_comes_next(connected: Path, twins: Twins, syncline: Command) -> None:
    make_person(twins, "both@people.example", lifecyclestage="other")
    syncline("sync")
    said = syncline("explain", "both@people.example")
    assert said.code == 0
    assert "waits since" in said.out and "UnknownChoice" in said.out
    assert "held stage (the CRM)" in said.out


@pytest.mark.parametrize("who", ["nobody@people.example", "4711"])
def test_nobody_of_that_name_is_a_usage_error_that_does_not_repeat_it(alone: str, syncline: Command, who: str) -> None:
    for command in (("explain", who), ("log", "--contact", who)):
        said = syncline(*command)
        assert said.code == 2
        assert who not in said.err and "nobody" in said.err


def test_a_log_that_is_whole_verifies_against_its_outside_checkpoints(alone: str, syncline: Command) -> None:
    said = syncline("verify")
    assert said.code == 0
    assert "outside checkpoints" in said.out and "adds up to what is stored" in said.out
    told = syncline("verify", "--json").json
    assert told["ok"] and told["checkpoints"] == 2 and told["problems"] == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE change_log SET new = '\"Anastasia\"' WHERE field = 'first_name'",
        "DELETE FROM change_log WHERE seq = 2",
        "UPDATE change_log SET rule = 'prefer' WHERE field = 'first_name'",
        "UPDATE contact SET view = '{}'",
    ],
)
def test_a_log_or_state_that_somebody_edited_does_not_verify(alone: str, syncline: Command, damage: str) -> None:
    with sqlite3.connect(DATABASE) as connection:
        assert connection.execute(damage).rowcount > 0
    connection.close()
    said = syncline("verify")
    assert said.code == 1
    assert "the log does not verify: " in said.err
    assert "Anastasia" not in said.err
    assert syncline("verify", "--json").json["ok"] is False


def test_a_rewritten_history_shows_in_the_checkpoints_alone(alone: str, syncline: Command) -> None:
    kept = Path(".syncline") / "checkpoints.jsonl"
    kept.write_text(kept.read_text().replace('"root": "', '"root": "00', 1))
    assert syncline("verify").code == 1
