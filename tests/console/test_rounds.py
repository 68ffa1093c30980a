"""plan and sync: what is shown is what is done, a stop says how to go on, --json is one document."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.handles import Twins
from tests.console.conftest import Command, make_person


def ours(twins: Twins) -> int:
    """Writes that reached the twins through their APIs."""
    return sum(1 for twin in (twins.hubspot, twins.mailchimp) for effect in twin.effects() if effect["actor"] == "api")


def test_a_plan_shows_each_field_before_and_after_with_its_reason_and_writes_nothing(pair: str, twins: Twins, syncline: Command) -> None:
    twins.hubspot.edit("update", email=pair, fields={"firstname": "Anabel"})
    before = ours(twins)
    said = syncline("plan")
    assert said.code == 0
    assert "Changed: 1 contact" in said.out and pair in said.out
    assert "first_name: Ana → Anabel in marketing  [one_side: only the CRM changed it]" in said.out
    assert "To do it: syncline sync mapping.yaml" in said.out
    assert ours(twins) == before


def test_the_plan_in_json_is_what_sync_then_does(pair: str, twins: Twins, syncline: Command) -> None:
    twins.hubspot.edit("update", email=pair, fields={"firstname": "Anabel"})
    [contact] = syncline("plan", "--json").json["contacts"]
    assert [write["after"] for write in contact["writes"]] == [{"merge_fields.FNAME": "Anabel"}]
    assert [write["before"] for write in contact["writes"]] == [{"merge_fields.FNAME": "Ana"}]
    done = syncline("sync", "--json")
    assert (done.code, done.json["pushed"]["applied"]) == (0, 1)
    assert [row["FNAME"] for row in twins.mailchimp.records()] == ["Anabel"]


def test_groups_creates_links_and_holds(connected: Path, twins: Twins, syncline: Command) -> None:
    make_person(twins, "both@people.example", lifecyclestage="other")
    twins.hubspot.edit("create", fields={"email": "alone@people.example", "firstname": "Al"})
    said = syncline("plan")
    assert "New on one side: 1 contact" in said.out
    assert "create in marketing: email alone@people.example, first_name Al" in said.out
    assert "Linked: 1 contact" in said.out
    assert "held stage (the CRM): a value the mapping's table does not know  [UnknownChoice]" in said.out


def test_limit_cuts_the_people_shown_and_counts_the_rest(connected: Path, twins: Twins, syncline: Command) -> None:
    for n in range(5):
        twins.hubspot.edit("create", fields={"email": f"p{n}@people.example"})
    said = syncline("plan", "--limit", 2)
    assert said.out.count("@people.example  (contact") == 2
    assert "… and 3 more" in said.out
    assert len(syncline("plan", "--limit", 2, "--json").json["contacts"]) == 5


def test_a_summary_tells_what_was_read_planned_and_written(connected: Path, twins: Twins, syncline: Command) -> None:
    make_person(twins, "both@people.example")
    said = syncline("sync")
    assert said.code == 0, said.err
    assert re.search(r"crm +read \d+ \(all\), \d+ changed; \d+ calls \(\d+ read", said.out)
    for words in ("planned    1 links", "written    ", "Run 1: In step."):
        assert words in said.out
    assert said.err == ""


def test_what_waits_makes_exit_code_1_and_says_where_to_look(connected: Path, twins: Twins, syncline: Command) -> None:
    make_person(twins, "both@people.example", lifecyclestage="other")
    said = syncline("sync")
    assert said.code == 1
    assert "1 wait with a reason: syncline status mapping.yaml" in said.out


def test_a_failed_write_that_waits_out_its_pause_is_told_by_every_command(pair: str, twins: Twins, syncline: Command) -> None:
    twins.mailchimp.edit("update", email=pair, fields={"LNAME": "Byron"})
    twins.hubspot.faults(on="batch/update", kind="429", times=50, retry_after=600)
    failed = syncline("sync")
    twins.hubspot.faults(clear=True, rate=False)
    again = syncline("sync")
    assert (failed.code, again.code) == (5, 1)
    for said in (failed, again):
        assert re.search(r"Not finished\.\nNext: 1 contact waits to be tried again after a failed write, from .* UTC on", said.out)
    told, now = syncline("sync", "--json").json, syncline("status", "--json").json
    assert (told["status"], told["exit_code"], told["to_retry"], told["open_holds"]) == ("failed", 1, 1, 0)
    assert (now["to_retry"], now["retry_at_us"], now["waiting"]) == (1, told["retry_at_us"], {})
    assert "1 contact waits to be tried again" in syncline("status").out
    planned = syncline("plan")
    assert planned.code == 0
    assert "In all: nothing to do" in planned.out and "Not in this plan: 1 contact waits to be tried again" in planned.out


@pytest.fixture
def many(connected: Path, twins: Twins) -> None:
    """Eight people whose first names differ: more overwrites than a first run may do."""
    for n in range(8):
        make_person(twins, f"p{n}@people.example", firstname=f"Ana{n}")


def test_a_guard_stops_before_the_first_write_and_a_person_lets_that_plan_through(many: None, twins: Twins, syncline: Command) -> None:
    planned = syncline("plan")
    assert planned.code == 0
    assert "would stop at the guard: 8 overwrites planned, 5 allowed" in planned.out
    stopped = syncline("sync")
    assert stopped.code == 3
    assert ours(twins) == 0
    assert "8 overwrites planned, 5 allowed" in stopped.err and "--approve 2" in stopped.err
    assert "syncline sync mapping.yaml --approve 2" in syncline("status").out
    kept = syncline("plan", "--run", 2)
    assert kept.code == 0
    assert "would stop at the guard: 8 overwrites planned, 5 allowed" in kept.out and "Linked: 8 contacts" in kept.out
    assert len(syncline("plan", "--run", 2, "--json").json["contacts"]) == 8
    done = syncline("sync", "--approve", 2)
    assert done.code == 0, done.err
    assert ours(twins) > 0
    assert [entry["kind"] for entry in syncline("log", "--json").json["entries"]].count("approval") == 1


def test_a_plan_that_is_not_there_cannot_be_approved(pair: str, syncline: Command) -> None:
    said = syncline("sync", "--approve", 99)
    assert said.code == 2
    assert "run 99 has no plan" in said.err
    shown = syncline("plan", "--run", 99)
    assert shown.code == 2
    assert "run 99 has no plan" in shown.err


def test_full_lists_everything_and_finds_a_delete(pair: str, twins: Twins, syncline: Command) -> None:
    twins.hubspot.edit("delete", email=pair)
    assert syncline("sync", "--json").json["pushed"]["applied"] == 0
    done = syncline("sync", "--full", "--json").json
    assert (done["kind"], done["observed"]["crm"]["full"], done["pushed"]["applied"]) == ("sweep", True, 1)
    assert [row["state"] for row in twins.mailchimp.records()] == ["archived"]


def test_json_is_one_document_even_for_an_error(connected: Path, monkeypatch: pytest.MonkeyPatch, syncline: Command) -> None:
    monkeypatch.setenv("SYNCLINE_MAILCHIMP_API_KEY", "")
    said = syncline("sync", "--json")
    assert said.code == said.json["exit_code"] == 2
    assert said.json["error"] == said.err.strip()


def test_a_person_at_a_terminal_sees_bars_and_they_never_reach_stdout(pair: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from console.app import main; main()", "sync", "--full"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    drawn = os.read(ours, 65_536).decode(errors="replace")
    os.close(ours)
    assert "reading both sides" in drawn
    assert "reading both sides" not in done.stdout.decode() and b"In step." in done.stdout
