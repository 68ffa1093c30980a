"""Operations, end to end (H-01, H-05): sides that go empty, backups that come back; plans that wait for a yes."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from functools import partial

import pytest

from flows.round import run_round
from syncline.errors import CursorRegressed, GuardTripped, UsageError
from tests.e2e.crash_wire import acting
from tests.e2e.operations import in_step, untouched
from tests.e2e.world import World

ALL_MEMBERS = "GET /3.0/lists/{list_id}/members"


# ---------------------------------------------------------------- H-01


def test_H_01_an_empty_first_page_stops_the_run_before_any_delete(world: World) -> None:
    in_step(world, 20)
    world.marketing.faults(on=ALL_MEMBERS, kind="empty", times=3)
    report = world.sync("sweep")
    assert isinstance(report.error, GuardTripped)
    assert (report.status, report.exit_code) == ("stopped", 3)
    assert "20 records" in str(report.error)
    untouched(world)
    world.at_rest("sweep")
    untouched(world)


def test_H_01_edits_that_an_emptied_listing_did_not_show_are_still_polled(world: World) -> None:
    """Else the poll would go on behind them, and whatever the other side says next would overwrite them unseen."""
    emails = in_step(world, 20)
    world.marketing.edit("update", email=emails[3], fields={"LNAME": "Byrne"})
    world.later(3600)
    world.marketing.faults(on=ALL_MEMBERS, kind="empty", times=3)
    assert isinstance(world.sync("sweep").error, GuardTripped)
    report = world.sync()
    assert report.error is None
    assert world.written("crm") == [("lastname", "Byrne")]


def test_H_01_a_listing_that_was_interrupted_near_its_end_is_not_taken_for_an_empty_side(world: World) -> None:
    in_step(world, 20)
    world.later(3600)
    world.sync()
    world.marketing.faults(on=ALL_MEMBERS, kind="expire_token", after=1)
    assert world.sync("sweep").exit_code == 2
    report = world.sync("sweep")
    assert (report.error, report.exit_code) == (None, 0)
    untouched(world)


def test_H_01_a_sharply_smaller_side_is_looked_up_one_by_one_and_stops_if_true(world: World) -> None:
    emails = in_step(world, 20)
    for email in emails[:8]:
        world.crm.edit("delete", email=email)
    report = world.sync("sweep")
    assert isinstance(report.error, GuardTripped)
    assert "8 deletes planned, 5 allowed" in str(report.error)
    untouched(world)
    assert world.sync("sync", approve=report.run_id).exit_code == 0
    assert sum(member["state"] == "archived" for member in world.marketing.records()) == 8
    world.at_rest("sweep")


def test_H_01_rows_that_a_broken_listing_leaves_out_are_found_by_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row is edited meanwhile, and so comes after the listing's lost page: the side is not empty."""
    in_step(world, 20)
    world.later(3600)
    world.sync()
    world.crm.faults(on="GET /crm/v3/objects/contacts", kind="empty")
    edit = partial(world.crm.edit, "update", email="p003@people.example", fields={"lastname": "Byrne"})
    acting(monkeypatch, lambda request: request.method == "GET" and "/objects/contacts?" in request.url, edit)
    report = world.sync("sweep")
    assert report.error is None
    assert world.written("marketing") == [("LNAME", "Byrne")]


# ---------------------------------------------------------------- plans that wait


def test_a_plan_that_was_approved_is_exactly_what_is_done_and_later_edits_are_not_lost(world: World) -> None:
    emails = in_step(world, 20)
    for email in emails[:8]:
        world.crm.edit("delete", email=email)
    world.crm.edit("update", email=emails[10], fields={"firstname": "Planned"})
    stopped = world.sync("sweep")
    world.marketing.edit("update", email=emails[0], fields={"LNAME": "Late"})
    world.marketing.edit("update", email=emails[10], fields={"FNAME": "Later"})
    report = world.sync(approve=stopped.run_id)
    assert report.pushed.moved >= 1, "what moved under the plan is decided again"
    assert world.member(emails[10])["FNAME"] == "Later"
    world.at_rest("sweep")
    [approval] = [row.entry.new for row in world.log() if row.entry.kind == "approval"]
    assert approval["run"] == stopped.run_id and getpass.getuser() in approval["by"]


def test_a_plan_is_approved_once_and_only_under_its_own_mapping(world: World) -> None:
    emails = in_step(world, 20)
    for email in emails[:8]:
        world.crm.edit("delete", email=email)
    stopped = world.sync("sweep")
    world.edit_mapping(("skew: 2m", "skew: 3m"))
    refused = world.sync(approve=stopped.run_id)
    assert isinstance(refused.error, UsageError)
    assert "mapping has changed" in str(refused.error)
    untouched(world)
    again = world.sync()
    assert isinstance(again.error, GuardTripped)
    assert world.sync(approve=stopped.run_id).exit_code == 2
    assert world.sync(approve=again.run_id).exit_code == 0
    assert world.sync(approve=again.run_id).exit_code == 2
    world.at_rest("sweep")


def older_plan_approved(world: World, between: Callable[[list[str]], object], kind: str = "sync") -> list[str]:
    """Of three people two are edited, and one is new. A run asks for a yes; so does another after `between`, but the first one gets it."""
    world.edit_mapping(("overwrites: 20%", "overwrites: 0"))
    emails = in_step(world, 3)
    for email in (emails[0], emails[2]):
        world.crm.edit("update", email=email, fields={"firstname": "Robin"})
    world.crm.edit("create", fields={"email": "new@people.example", "firstname": "New"})
    first = world.sync()
    between(emails)
    second = world.sync(kind)
    assert (first.status, second.status) == ("stopped", "stopped")
    report = world.sync(approve=first.run_id)
    assert (report.totals["contacts"], report.decided, report.error) == (3, 2, None), "one of three is left out"
    assert world.member(emails[2])["FNAME"] == "Robin"
    world.verified()
    return emails


def test_an_older_plan_that_is_approved_leaves_out_who_was_merged_since(world: World) -> None:
    def merge(emails: list[str]) -> None:
        world.crm.edit("merge", winner=world.crm_record(emails[1])["id"], loser=world.crm_record(emails[0])["id"])

    emails = older_plan_approved(world, merge)
    assert world.member(emails[0])["FNAME"] == "P0"
    world.at_rest("sweep")
    assert world.member(emails[0])["state"] == "archived"


def test_an_older_plan_that_is_approved_makes_nobody_who_is_known_to_be_gone(world: World) -> None:
    older_plan_approved(world, lambda _: world.crm.edit("delete", email="new@people.example"), "sweep")
    assert "new@people.example" not in {member["email_address"] for member in world.marketing.records()}
    world.at_rest("sweep")


def test_an_older_plan_that_is_approved_carries_nothing_across_that_is_known_to_be_another_by_now(world: World) -> None:
    emails = older_plan_approved(world, lambda emails: world.crm.edit("update", email=emails[0], fields={"firstname": "Rowan"}))
    assert world.member(emails[0])["FNAME"] == "P0"
    again = world.sync()
    assert again.status == "stopped"
    world.sync(approve=again.run_id)
    assert world.member(emails[0])["FNAME"] == "Rowan"
    world.at_rest("sweep")


def test_an_older_plan_that_is_approved_makes_nobody_whom_a_run_that_failed_has_seen_there(world: World) -> None:
    """That run had staged what one side showed, and ended before it could match it."""
    world.edit_mapping(("overwrites: 20%", "overwrites: 0"))
    emails = in_step(world, 3)
    world.marketing.edit("update", email=emails[0], fields={"FNAME": "Robin"})
    world.marketing.edit("create", email="new@people.example", fields={"FNAME": "New"})
    first = world.sync()
    world.crm.edit("create", fields={"email": "new@people.example", "firstname": "Newer"})
    world.marketing.faults(on="GET", kind="expire_token")
    with world.context() as context:
        context.in_turn = True
        failed = run_round(context)
    assert (first.status, failed.status) == ("stopped", "failed")
    world.crm.reset_calls()
    report = world.sync(approve=first.run_id)
    assert (report.totals["contacts"], report.decided, report.error) == (2, 1, None), "the new one is left out"
    assert not [call for call in world.crm.calls()["calls"] if "batch/create" in call]
    world.verified()


def test_half_a_plan_of_a_run_that_died_cannot_be_approved(world: World) -> None:
    emails = in_step(world, 20)
    for email in emails[:8]:
        world.crm.edit("delete", email=email)
    stopped = world.sync("sweep")
    with world.context() as context:
        context.sync.end_run(stopped.run_id, "running", {}, "", context.clock())
    assert world.sync(approve=stopped.run_id).exit_code == 2
    untouched(world)


# ---------------------------------------------------------------- H-05


def after_a_restored_backup(world: World) -> list[str]:
    """Twenty in step; a backup; all change and eight more come; then marketing is set back a week."""
    emails = in_step(world, 20)
    world.marketing.edit("backup")
    world.later(7 * 24 * 3600)
    for number, email in enumerate(emails):
        world.crm.edit("update", email=email, fields={"lastname": f"Byrne {number}"})
    for number in range(8):
        world.crm.edit("create", fields={"email": f"new{number}@people.example", "firstname": "New"})
    world.edit_mapping(("overwrites: 20%", "overwrites: 100%"))
    world.settle()
    world.marketing.edit("restore_backup")
    world.mark()
    return emails


def test_H_05_a_restored_backup_stops_the_run_before_anything_is_written(world: World) -> None:
    after_a_restored_backup(world)
    before = world.crm.records()
    for kind in ("sweep", "sync", "sweep"):
        report = world.sync(kind)
        untouched(world)
        if kind == "sweep":
            assert isinstance(report.error, CursorRegressed)
            assert (report.status, report.exit_code) == ("stopped", 3)
            assert "20 records" in str(report.error)
    assert world.crm.records() == before
    with world.context() as context:
        assert context.sync.linked_count() == 28, "the links to what vanished are kept"


def test_H_05_approved_it_is_merged_anew_and_nothing_newer_is_lost(world: World) -> None:
    emails = after_a_restored_backup(world)
    world.marketing.edit("unsubscribe", email=emails[3])
    stopped = world.sync("sweep")
    report = world.sync(approve=stopped.run_id)
    assert report.error is None
    for number, email in enumerate(emails):
        assert world.crm_record(email)["lastname"] == f"Byrne {number}"
        if number != 3:  # edited since the restore: its blank is an edit, and blanks are ignored here
            assert world.member(email)["LNAME"] == f"Byrne {number}", "the CRM's value is the newer one, and is pushed again"
    assert world.crm_record(emails[3])["hs_email_optout"] == "true"
    assert {record["state"] for record in world.crm.records()} == {"live"}, "nobody is deleted because a backup did not know them"
    assert "approval" in {row.entry.kind for row in world.log()}
    world.at_rest("sweep")


def test_H_05_a_lagging_answer_is_no_restored_backup(world: World) -> None:
    emails = in_step(world, 8)
    for email in emails:
        world.later(2)
        world.marketing.edit("update", email=email, fields={"LNAME": "Byrne"})
    world.edit_mapping(("overwrites: 20%", "overwrites: 100%"))
    world.settle()
    world.later(3600)
    world.settle()
    world.mark()
    world.marketing.faults(on=ALL_MEMBERS, kind="stale_page", times=3)
    report = world.sync("sweep")
    assert (report.error, report.exit_code) == (None, 0)
    untouched(world)
    world.at_rest("sweep")
    untouched(world)
