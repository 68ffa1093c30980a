"""From plan to outbox: stored plans, chunks that are committed once, and what stands in outbox and log from then on."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from state.store import SyncStore
from syncline.errors import UsageError
from syncline.plan import ContactPlan, Hold, Write
from tests.state.people import commit, decide, keys, linked, outbox, plan_for, seen
from tests.state.under_way import created, renamed


def test_a_plan_is_inert_until_it_is_committed(sync: SyncStore) -> None:
    run_id = sync.begin_run("sync", 1)
    sync.stage("crm", [seen("c1"), seen("c2", "bob")])
    plans = [plan_for(contact) for contact in decide(sync)]
    sync.save_plan(run_id, 0, plans[:1])
    sync.save_plan(run_id, 1, plans[1:])
    assert sync.plan_totals(run_id)["creates"] == 2
    assert [(number, stored.contact_id) for number, [stored] in sync.plan_chunks(run_id)] == [(0, 1), (1, 2)]
    assert (sync.outbox_size(), list(sync.entries()), sync.load_contact(1)) == (0, [], None)
    sync.drop_plan()
    assert not sync.plan_exists(run_id)
    assert len(decide(sync)) == 2


def test_a_stored_plan_comes_back_as_it_was(sync: SyncStore) -> None:
    run_id = sync.begin_run("sync", 1)
    hold = Hold("UnknownChoice", "no such stage", "stage", "crm")
    write = Write("crm", "update", "c9", {"n": [1, "a", None]}, {"opt": True}, {"n": 1.5}, "v1", {"mail": "x"}, ("a", "b"), (0,))
    plan = ContactPlan(
        4,
        False,
        "active",
        {"crm": "c9"},
        {"tags": ("a",), "n": 1, "x": None, "f": 0.5, "b": True},
        {"n": 7},
        {"crm": {"t": ["a"]}},
        (),
        (write,),
        (hold,),
        {"holds": 1},
    )
    sync.save_plan(run_id, 0, [plan])
    assert [(number, list(chunk)) for number, chunk in sync.plan_chunks(run_id)] == [(0, [plan])]


def test_a_chunk_is_committed_once(sync: SyncStore) -> None:
    run_id = sync.begin_run("sync", 1)
    sync.stage("crm", [seen("c1")])
    plans = [plan_for(contact) for contact in decide(sync)]
    sync.save_plan(run_id, 0, plans)
    [(number, chunk)] = sync.plan_chunks(run_id)
    assert list(chunk) == plans, "what a birth says is stored once, and read as it was"
    sync.commit_chunk(run_id, number, chunk, "v1", 5, keys)
    with pytest.raises(UsageError, match="committed already"):
        sync.commit_chunk(run_id, number, chunk, "v1", 5, keys)
    assert sync.outbox_size() == 1


def test_plans_of_runs_that_wait_for_approval_can_be_kept(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1")])
    plans = [plan_for(contact) for contact in decide(sync)]
    for run_id in (sync.begin_run("sync", 1), sync.begin_run("sync", 2)):
        sync.save_plan(run_id, 0, plans)
    sync.drop_plan(keep=[1])
    assert sync.planned_runs() == [1]


def test_a_contact_with_writes_on_their_way_is_not_decided_again(sync: SyncStore) -> None:
    created(sync)
    sync.stage("crm", [seen("c1", name="Edited", at_us=300)])
    assert decide(sync) == []


def test_a_write_that_was_left_over_never_takes_the_version_of_an_edit_made_since(sync: SyncStore) -> None:
    """Nor where the record is at rest by now, because its contact was merged away."""
    renamed(sync)
    sync.stage("marketing", [seen("m-ann", name="Annie", at_us=300, version="v9")])
    with sync._scope.write() as connection:
        connection.execute(sa.text("UPDATE record SET dirty = 0"))
    [row] = outbox(sync)
    assert row.moved and row.version is None


def test_consent_goes_first(sync: SyncStore) -> None:
    contact_id, run_id = linked(sync), sync.begin_run("sync", 2)
    sync.stage("crm", [seen("c-ann", name="Anna", at_us=200)])
    [contact] = decide(sync)
    writes = [Write("marketing", "update", "m-ann", {"name": "Anna"}), Write("marketing", "consent", "m-ann", consent={"status": "no"})]
    commit(sync, run_id, [plan_for(contact, writes=writes)])
    assert [(row.phase, row.kind, row.contact_id) for row in outbox(sync)] == [(0, "consent", contact_id), (1, "update", contact_id)]


def test_provenance_names_the_entry_that_set_a_field(sync: SyncStore) -> None:
    _, contact_id = renamed(sync)
    origin = sync.provenance(contact_id)
    assert origin["name"][:2] == ["crm", "prefer"]
    [entry] = sync.entries(contact_id=contact_id, field="name")
    assert (origin["name"][3], origin["email"][1]) == (entry.seq, "match")


def test_status_counts(sync: SyncStore) -> None:
    run_id, _ = created(sync)
    linked(sync, "bob")
    fencing = sync.lease.acquire("me", 0, 9)
    now = sync.status()
    assert (now.records, now.contacts, now.linked) == ({"crm": {"live": 2}, "marketing": {"live": 1}}, {"active": 2}, 1)
    assert (now.outbox, now.lease, now.dirty, now.holds, fencing, run_id) == ({"ready": 1}, ("me", 9), 0, {}, 1, 1)
