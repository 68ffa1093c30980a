"""A plan that waited for a yes: who was touched by later runs meanwhile is left out of it, and decided anew."""

from __future__ import annotations

from dataclasses import replace

from state.store import SyncStore
from syncline.plan import ContactPlan, Write
from tests.state.people import decide, keys, linked, outbox, plan_for, seen


def planned(sync: SyncStore) -> int:
    """A run that has planned everybody who is dirty, and waits. Another has begun since."""
    run_id = sync.begin_run("sync", 2)
    plans = [_written(plan_for(contact)) for contact in decide(sync)]
    sync.save_plan(run_id, 0, plans)
    sync.begin_run("sync", 3)
    return run_id


def _written(plan: ContactPlan) -> ContactPlan:
    return plan if plan.new else replace(plan, writes=(Write("marketing", "update", plan.refs["marketing"], {"name": "Anna"}),))


def approve(sync: SyncStore, run_id: int) -> int:
    """The yes, in a run of its own. Returns the contacts committed."""
    sync.begin_run("sync", 4)
    [(number, chunk)] = sync.plan_chunks(run_id)
    return sync.commit_chunk(run_id, number, chunk, "v1", 5, keys)


def test_what_nobody_has_touched_is_done_as_planned(sync: SyncStore) -> None:
    linked(sync)
    sync.stage("crm", [seen("c-ann", name="Anna", at_us=200), seen("c1", "bob")])
    run_id = planned(sync)
    sync.stage("crm", [seen("c2", "eve")])
    sync.match_records(3, run_id + 1)
    assert approve(sync, run_id) == 2
    assert [row.kind for row in outbox(sync)] == ["create", "update"]
    assert "approval" not in {row.entry.kind for row in sync.entries()}
    assert [contact.sides["crm"].ref for contact in decide(sync)] == ["c2"]


def test_who_was_seen_to_be_edited_since_is_left_out_and_noted(sync: SyncStore) -> None:
    contact_id = linked(sync)
    sync.stage("crm", [seen("c-ann", name="Anna", at_us=200), seen("c1", "bob")])
    run_id = planned(sync)
    sync.stage("crm", [seen("c-ann", name="Annie", at_us=300)])
    assert approve(sync, run_id) == 1
    assert [row.kind for row in outbox(sync)] == ["create"]
    assert [contact.contact_id for contact in decide(sync)] == [contact_id]
    [said] = [row.entry for row in sync.entries() if row.entry.kind == "approval"]
    assert (said.rule, said.new) == ("overtaken", {"run": run_id, "left_out": 1})
    assert sync.verify().ok


def test_who_was_seen_to_be_gone_since_is_not_made(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1")])
    run_id = planned(sync)
    sync.stage("crm", [seen("c1", at_us=300, liveness="archived")])
    sync.match_records(3, run_id + 1)
    assert (approve(sync, run_id), sync.outbox_size(), sync.load_contact(1)) == (0, 0, None)


def test_who_was_found_across_since_is_not_made_there(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1")])
    run_id = planned(sync)
    sync.stage("marketing", [seen("m1")])
    sync.match_records(3, run_id + 1)
    assert (approve(sync, run_id), sync.outbox_size()) == (0, 0)
    [contact] = decide(sync)
    assert {side: state.ref for side, state in contact.sides.items()} == {"crm": "c1", "marketing": "m1"}


def test_who_may_be_one_of_several_since_waits(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1")])
    run_id = planned(sync)
    sync.stage("marketing", [seen("m1"), seen("m2")])
    assert sync.match_records(3, run_id + 1).ambiguous == 3
    assert (approve(sync, run_id), sync.outbox_size(), decide(sync)) == (0, 0, [])


def test_who_was_linked_since_stays_where_they_are(sync: SyncStore) -> None:
    """Planned as somebody new; by now the missing half of an older contact."""
    contact_id = linked(sync)
    sync.stage("marketing", [seen("m-ann", at_us=200, liveness="archived"), seen("m2", at_us=200)])
    run_id = sync.begin_run("sync", 2)
    [plan] = [plan_for(contact) for contact in decide(sync) if contact.contact_id != contact_id]
    sync.save_plan(run_id, 0, [plan])
    sync.begin_run("sync", 3)
    sync.match_records(3, run_id + 1)
    assert sync.contact_by("marketing", "m2") == contact_id
    assert approve(sync, run_id) == 0
    assert (sync.contact_by("marketing", "m2"), sync.load_contact(plan.contact_id)) == (contact_id, None)


def merge_all(sync: SyncStore, run_id: int) -> None:
    for merge in sync.merges():
        sync.apply_merge(merge, run_id, 3)


def test_neither_of_two_who_were_merged_since_is_decided_without_the_other(sync: SyncStore) -> None:
    """The record of the one who goes on shows nothing new: the other's own record has told of it."""
    winner, loser = linked(sync), linked(sync, "bob")
    sync.stage("crm", [seen("c-ann", name="Anna", at_us=200), seen("c-bob", "bob", "Rob", at_us=200)])
    run_id = planned(sync)
    sync.stage("crm", [seen("c-bob", at_us=300, fields={}, liveness="merged", merged_into="c-ann")])
    merge_all(sync, run_id + 1)
    assert (approve(sync, run_id), sync.outbox_size(), sync.verify().problems) == (0, 0, ())
    [contact] = decide(sync)
    assert (contact.contact_id, [state.ref for state in contact.losers["marketing"]]) == (winner, ["m-bob"])
    ended = sync.load_contact(loser)
    assert ended is not None and ended.state == "merged"


def test_who_was_swallowed_since_by_somebody_new_is_not_made(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1"), seen("c2", "eve")])
    run_id = planned(sync)
    sync.stage("crm", [seen("c2", "eve", at_us=300, absorbed=("c1",))])
    merge_all(sync, run_id + 1)
    assert (approve(sync, run_id), sync.outbox_size()) == (0, 0)


def test_nobody_new_is_made_without_what_was_merged_into_them_since(sync: SyncStore) -> None:
    """It may have said no."""
    sync.stage("crm", [seen("c1")])
    run_id = planned(sync)
    sync.stage("crm", [seen("c0", "eve", at_us=300, liveness="merged", merged_into="c1")])
    merge_all(sync, run_id + 1)
    assert (approve(sync, run_id), sync.outbox_size()) == (0, 0)
    [contact] = decide(sync)
    assert [state.ref for state in contact.losers["crm"]] == ["c0"]
