"""What is refused waits: with its reason, alone, once in the log, and owned by its record until that is a contact."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from state.echoes import Settled
from state.store import SyncStore
from syncline.plan import Hold
from tests.state.people import applied, commit, decide, linked, outbox, plan_for, seen
from tests.state.under_way import renamed


def test_a_refused_record_waits_with_its_reason_and_is_not_sent_every_run(sync: SyncStore) -> None:
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [Settled(row, "held:Rejected", holds=(Hold("Rejected", "too long", "name", "marketing"),))], 2_000)
    assert decide(sync) == []
    [hold] = sync.holds()
    assert (hold.contact_id, hold.code, hold.field, hold.reason) == (contact_id, "Rejected", "name", "too long")
    sync.touch_held()
    [contact] = decide(sync)
    assert contact.held == {"name"}
    commit(sync, run_id + 1, [plan_for(contact)])
    assert sync.holds() == []
    assert [row.entry.kind for row in sync.entries(contact_id=contact_id)][-2:] == ["hold", "release"]
    assert sync.verify().problems == ()


def test_a_field_refused_on_the_way_is_held_alone(sync: SyncStore) -> None:
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    refused = (Hold("Rejected", "too long", "name", "marketing"), Hold("Rejected", "no such tag", "tags", "marketing"))
    partly = replace(applied(structs.replace(row, fields={})), holds=refused)
    sync.settle(run_id, [partly], 2_000)
    assert {(hold.field, hold.reason) for hold in sync.holds(contact_id)} == {("name", "too long"), ("tags", "no such tag")}
    assert [(row.entry.kind, row.result) for row in sync.entries(contact_id=contact_id, field="name")] == [
        ("change", "held:Rejected"),
        ("hold", "agreed"),
    ]
    assert sync.verify().problems == ()


def test_a_hold_keeps_its_age_and_is_logged_once(sync: SyncStore) -> None:
    contact_id, hold = linked(sync), Hold("UnknownChoice", "no such stage", "stage", "crm")
    run_id = sync.begin_run("sync", 2)
    for number in (0, 1):
        sync.stage("crm", [seen("c-ann", at_us=200 + number)])
        [contact] = decide(sync)
        commit(sync, run_id, [plan_for(contact, holds=[hold])], number, now_us=2_000 + number)
    assert [(row.opened_us, row.contact_id) for row in sync.holds()] == [(2_000, contact_id)]
    assert [row.entry.kind for row in sync.entries(contact_id=contact_id)] == ["link", "hold"]


def test_a_record_that_cannot_become_a_contact_yet_owns_its_hold_until_it_does(sync: SyncStore) -> None:
    hold, run_id = Hold("UnknownChoice", "no such stage", "stage", "crm"), sync.begin_run("sync", 1)
    sync.stage("crm", [seen("c1")])
    [contact] = decide(sync)
    commit(sync, run_id, [replace(plan_for(contact), entries=(), writes=(), holds=(hold,))])
    assert [(row.contact_id, row.ref) for row in sync.holds()] == [(None, "c1")]
    sync.touch_held()
    [contact] = decide(sync)
    assert contact.held == {"stage"}
    commit(sync, run_id, [plan_for(contact, holds=[hold])], 1)
    assert [row.contact_id for row in sync.holds()] == [contact.contact_id]
