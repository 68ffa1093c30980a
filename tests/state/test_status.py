"""What waits to be tried again, and what the next run finds of a contact."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from state.echoes import Settled
from state.status import _PAUSED, Paused
from state.store import Store, SyncStore
from tests.state.people import applied, commit, decide, linked, outbox, plan_for, seen
from tests.state.under_way import renamed


def failed(sync: SyncStore, retry_at_us: int) -> int:
    """A contact whose write has just failed."""
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [Settled(row, "failed:Unreachable", retry_at_us=retry_at_us)], 2_000)
    return contact_id


def test_a_failed_write_is_paused_until_it_is_decided_again(sync: SyncStore) -> None:
    assert sync.paused() == Paused(0, None)
    failed(sync, 5_000)
    assert sync.paused() == Paused(1, 5_000), "one contact, though both its records wait"
    [contact] = decide(sync, 5_000)
    assert sync.paused() == Paused(1, 5_000), "looking at it is not deciding it"
    commit(sync, sync.begin_run("sync", 3), [plan_for(contact)])
    assert sync.paused() == Paused(0, None)


@pytest.mark.parametrize("result", ["applied", "moved"])
def test_a_write_that_did_not_fail_waits_for_nothing(sync: SyncStore, result: str) -> None:
    run_id, _ = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [applied(row, "m-ann") if result == "applied" else Settled(row, result)], 2_000)
    assert sync.paused() == Paused(0, None)


def test_an_erased_person_waits_for_nothing(sync: SyncStore) -> None:
    contact_id = failed(sync, 5_000)
    assert sync.erase(contact_id, None, 3_000)
    assert sync.paused() == Paused(0, None)


def test_counting_what_is_paused_visits_what_is_dirty_alone(sync: SyncStore, store: Store) -> None:
    if not store.database.sqlite:
        return
    with store.database.read() as connection:
        plan = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {_PAUSED.text}"), {"s": 1}).all()
    assert [row.detail for row in plan if "ix_record_dirty (sync_id=?)" in row.detail], plan


def test_what_the_next_run_finds_of_a_contact(sync: SyncStore) -> None:
    at_rest = linked(sync, "bob")
    assert (sync.standing_of(at_rest).due_us, sync.standing_of(at_rest).writing) == (None, ())
    run_id, contact_id = renamed(sync)
    assert (sync.standing_of(contact_id).due_us, sync.standing_of(contact_id).writing) == (None, ("marketing",))
    [row] = outbox(sync)
    sync.settle(run_id, [Settled(row, "failed:Unreachable", retry_at_us=5_000)], 2_000)
    assert (sync.standing_of(contact_id).due_us, sync.standing_of(contact_id).writing) == (5_000, ())
    sync.stage("crm", [seen("c-ann", name="Annette", at_us=300)])
    assert sync.standing_of(contact_id).due_us == 0, "an edit ends the pause"
