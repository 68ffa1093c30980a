"""Writes that are settled: echoes, bases, retries, lives, and records that were made across."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from state.echoes import Settled
from state.store import SyncStore
from syncline.plan import Hold, Write
from tests.state.people import applied, commit, decide, linked, outbox, plan_for, seen
from tests.state.under_way import created, load, renamed


def test_a_create_that_was_applied_links_both_sides_and_rests(sync: SyncStore) -> None:
    run_id, contact_id = created(sync)
    [row] = outbox(sync)
    assert (row.kind, row.state, row.key) == ("create", "ready", f"{run_id}-{contact_id}-marketing-create-3e8")
    sync.mark_sending([row.id])
    assert [sent.state for sent in outbox(sync)] == ["sending"]
    sync.settle(run_id, [applied(row, "m1")], 2_000)
    contact = load(sync, contact_id)
    assert contact.sides["marketing"].ref == "m1"
    assert contact.sides["crm"].shadow == contact.sides["crm"].seen == contact.sides["marketing"].shadow
    assert (outbox(sync), decide(sync), sync.linked_count()) == ([], [], 1)
    assert [row.result for row in sync.entries(contact_id=contact_id)] == ["applied"]
    assert sync.verify().problems == ()


def test_the_shadow_is_the_echo_and_never_what_was_sent(sync: SyncStore) -> None:
    run_id, contact_id = renamed(sync, "A very long name")
    [row] = outbox(sync)
    sync.settle(run_id, [applied(row, name="A very lo")], 2_000)
    sides = load(sync, contact_id).sides
    assert sides["marketing"].shadow is not None
    assert sides["marketing"].shadow["name"] == sides["marketing"].seen["name"] == "A very lo"
    assert sides["crm"].shadow == sides["crm"].seen
    assert decide(sync) == []


def test_an_edit_that_the_echo_shows_is_not_taken_for_ours(sync: SyncStore) -> None:
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [applied(row, email="moved@people.example")], 2_000)
    [contact] = decide(sync)
    shadow = contact.sides["marketing"].shadow
    assert shadow is not None
    assert (contact.contact_id, shadow["email"], contact.sides["marketing"].seen["email"]) == (
        contact_id,
        "ann@people.example",
        "moved@people.example",
    )


@pytest.mark.parametrize("meanwhile", ["Annabel", "Ann"], ids=["edited again", "taken back"])
def test_a_base_is_what_was_carried_across_and_not_a_newer_edit(sync: SyncStore, meanwhile: str) -> None:
    run_id, _ = renamed(sync)
    [row] = outbox(sync)
    sync.observe_moved("crm", [seen("c-ann", name=meanwhile, at_us=300)])
    sync.settle(run_id, [applied(row)], 2_000)
    [contact] = decide(sync)
    assert contact.sides["crm"].shadow is not None
    assert (contact.sides["crm"].shadow["name"], contact.sides["crm"].seen["name"]) == ("Anna", meanwhile)


def test_who_was_edited_while_the_other_record_was_made_has_no_base(sync: SyncStore) -> None:
    run_id, _ = created(sync)
    [row] = outbox(sync)
    sync.observe_moved("crm", [seen("c1", name="Edited", at_us=300)])
    sync.settle(run_id, [applied(row, "m1")], 2_000)
    [contact] = decide(sync)
    assert not contact.sides["crm"].shadow


@pytest.mark.parametrize("result", ["moved", "failed:Unreachable"])
def test_what_was_not_applied_is_decided_again_when_due(sync: SyncStore, result: str) -> None:
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [Settled(row, result, retry_at_us=5_000)], 2_000)
    assert (outbox(sync), decide(sync, 4_999)) == ([], [])
    [contact] = decide(sync, 5_000)
    assert contact.sides["crm"].shadow is not None
    assert (contact.contact_id, contact.sides["crm"].shadow["name"]) == (contact_id, "Ann")
    assert [row.result for row in sync.entries(contact_id=contact_id, field="name")] == [result]


def test_attempts_are_counted_until_something_succeeds(sync: SyncStore) -> None:
    run_id, _ = renamed(sync)
    [row] = outbox(sync)
    assert sync.attempts(row.contact_id) == 0
    sync.settle(run_id, [Settled(row, "failed:Unreachable")], 2_000)
    [contact] = decide(sync)
    write = Write("marketing", "update", "m-ann", {"name": "Anna"}, entries=())
    commit(sync, run_id + 1, [plan_for(contact, writes=[write])])
    [row] = outbox(sync)
    assert sync.attempts(row.contact_id) == 1
    sync.settle(run_id, [applied(row)], 2_000)
    [contact] = [load(sync, row.contact_id)]
    commit(sync, run_id + 2, [plan_for(contact, writes=[write])])
    assert sync.attempts(row.contact_id) == 0


@pytest.mark.parametrize("result", ["moved", "held:Rejected"])
def test_only_what_failed_counts_as_an_attempt_and_a_refusal_forgets_none(sync: SyncStore, result: str) -> None:
    """A field that is refused night after night does not make the first failure pause for hours; nor does it end a long pause."""
    run_id, contact_id = renamed(sync)
    write = Write("marketing", "update", "m-ann", {"name": "Anna"}, entries=())
    counted = []
    for number, said in enumerate((result, result, "failed:Unreachable", result)):
        [row] = outbox(sync)
        holds = (Hold("Rejected", "no", "name", "marketing"),) if said == "held:Rejected" else ()
        sync.settle(run_id, [Settled(row, said, holds=holds)], 2_000)
        counted.append(sync.attempts(contact_id))
        sync.touch_held()
        [contact] = decide(sync)
        commit(sync, run_id + 1 + number, [plan_for(contact, writes=[write])])
    assert counted == [0, 0, 1, 1]


def test_what_an_answer_does_not_show_is_judged_again(sync: SyncStore) -> None:
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [replace(applied(structs.replace(row, fields={})), left_out=("name",))], 2_000)
    assert [contact.contact_id for contact in decide(sync)] == [contact_id] and sync.holds() == []
    assert [row.result for row in sync.entries(contact_id=contact_id, field="name")] == ["moved"]


def test_an_archive_and_a_restore(sync: SyncStore) -> None:
    contact_id, run_id = linked(sync), sync.begin_run("sync", 2)
    for number, (kind, life) in enumerate((("archive", "archived"), ("restore", "live"))):
        commit(sync, run_id, [plan_for(load(sync, contact_id), writes=[Write("marketing", kind, "m-ann")])], number)
        [row] = outbox(sync)
        sync.settle(run_id, [Settled(row, "applied", "m-ann")], 2_000)
        assert load(sync, contact_id).sides["marketing"].liveness == life


def test_a_ref_that_changes_by_a_write_is_followed(sync: SyncStore) -> None:
    """A member's ref may be a hash of the address."""
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [applied(row, "m-new")], 2_000)
    assert load(sync, contact_id).sides["marketing"].ref == "m-new"
    assert (sync.contact_by("marketing", "m-ann"), sync.live_count("marketing")) == (None, 1)
    assert sync.verify().problems == ()


def test_a_create_that_meets_anothers_record_is_held_and_links_nothing(sync: SyncStore) -> None:
    bob = linked(sync, "bob")
    run_id, contact_id = created(sync)
    [row] = outbox(sync)
    [settled] = sync.settle(run_id, [applied(row, "m-bob")], 2_000)
    assert settled.result == "held:Ambiguous"
    assert sync.contact_by("marketing", "m-bob") == bob
    assert [(hold.contact_id, hold.code) for hold in sync.holds()] == [(contact_id, "Ambiguous")]
    assert sync.verify().problems == ()


def test_a_create_without_an_echo_says_nothing_of_what_its_record_was(sync: SyncStore) -> None:
    """The vendor may have brought an archived record of somebody else back: its old values agree with nobody."""
    run_id, contact_id = created(sync)
    linked(sync, "bob")
    sync.stage("marketing", [seen("m-bob", "bob", at_us=500, liveness="archived")])
    row = next(row for row in outbox(sync) if row.contact_id == contact_id)
    sync.settle(run_id, [Settled(row, "applied", ref="m-bob")], 2_000)
    state = load(sync, contact_id).sides["marketing"]
    assert (dict(state.seen), state.shadow, state.liveness) == ({}, None, "live")


def test_a_created_record_that_a_poll_has_met_already_is_the_same_one(sync: SyncStore) -> None:
    run_id, contact_id = created(sync)
    [row] = outbox(sync)
    sync.stage("marketing", [seen("m1", at_us=1_500)])
    sync.settle(run_id, [applied(row, "m1")], 2_000)
    assert (sync.contact_by("marketing", "m1"), decide(sync), sync.live_count("marketing")) == (contact_id, [], 1)
