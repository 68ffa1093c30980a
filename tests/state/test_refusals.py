"""What a vendor has refused waits since then, until a write of the same is made; no other write ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from state.echoes import Settled
from state.outbox import OutboxRow
from state.store import SyncStore
from syncline.log import Entry
from syncline.plan import Hold, Write
from tests.state.people import applied, commit, decide, linked, outbox, plan_for, seen
from tests.state.under_way import created, renamed

FIELD = Hold("Rejected", "no", "name", "marketing")
WHOLE = Hold("Rejected", "never", "", "marketing")
RENAME = Write("marketing", "update", "m-ann", {"name": "Anna"}, entries=(0,))
ARCHIVE = Write("marketing", "archive", "m-other")
CONSENT = Write("marketing", "consent", "m-ann", {}, {"consent": "out"})


def refused(sync: SyncStore, *holds: Hold) -> int:
    """A contact whose write was refused so; the number of the run."""
    run_id, _ = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [Settled(row, "held:Rejected", holds=holds)], 2_000)
    return run_id


def tried_again(sync: SyncStore, run_id: int, writes: Sequence[Write], field: str = "name") -> list[OutboxRow]:
    """A sweep's plan is committed: these writes, the first of which carries this field. What is in the outbox then, consent first."""
    sync.touch_held()
    [contact] = decide(sync)
    plan = plan_for(contact, writes=writes)
    entry = Entry("change", contact.contact_id, field, new=plan.view[field], to=("marketing",))
    commit(sync, run_id, [replace(plan, entries=(entry,))])
    return outbox(sync)


def told(sync: SyncStore) -> list[str]:
    return [row.entry.kind for row in sync.entries() if row.entry.kind in ("hold", "release")]


@pytest.mark.parametrize("hold", [FIELD, WHOLE], ids=["a field", "a record"])
def test_it_waits_on_while_it_is_tried_again_and_no_longer_than_that(sync: SyncStore, hold: Hold) -> None:
    run_id = refused(sync, hold)
    [row] = tried_again(sync, run_id + 1, [RENAME])
    assert [one.opened_run for one in sync.holds()] == [run_id]
    sync.settle(run_id + 1, [Settled(row, "held:Rejected", holds=(replace(hold, reason="not yet"),))], 3_000)
    assert [(one.opened_run, one.reason) for one in sync.holds()] == [(run_id, "not yet")] and told(sync) == ["hold"]
    [row] = tried_again(sync, run_id + 2, [RENAME])
    sync.settle(run_id + 2, [Settled(row, "moved")], 4_000)
    assert len(sync.holds()) == 1
    [row] = tried_again(sync, run_id + 3, [RENAME])
    sync.settle(run_id + 3, [applied(row)], 5_000)
    assert sync.holds() == [] and told(sync) == ["hold", "release"] and sync.verify().problems == ()


def test_another_reason_takes_the_place_of_the_first(sync: SyncStore) -> None:
    run_id = refused(sync, FIELD)
    [row] = tried_again(sync, run_id + 1, [RENAME])
    sync.settle(run_id + 1, [Settled(row, "held:ConsentRefused", holds=(replace(FIELD, code="ConsentRefused"),))], 3_000)
    assert [hold.code for hold in sync.holds()] == ["ConsentRefused"]


@pytest.mark.parametrize(
    ("hold", "writes", "field"),
    [(FIELD, [RENAME], "tags"), (FIELD, [], "name"), (WHOLE, [ARCHIVE], "name"), (WHOLE, [RENAME, CONSENT], "name")],
    ids=["another field", "nothing", "the archive of another record", "two writes"],
)
def test_what_no_write_can_end_ends_when_it_is_decided_anew(sync: SyncStore, hold: Hold, writes: list[Write], field: str) -> None:
    """And waits on from then, where that decision says so."""
    tried_again(sync, refused(sync, hold) + 1, writes, field)
    assert sync.holds() == []


def test_what_was_opened_since_a_plan_was_made_ends_as_it_is_committed(sync: SyncStore) -> None:
    """Its write could not end it: that knows of what was open before."""
    run_id = refused(sync, FIELD)
    [row] = tried_again(sync, run_id, [RENAME])
    assert sync.holds() == []
    sync.settle(run_id, [applied(row)], 3_000)
    assert sync.holds() == [] and told(sync) == ["hold", "release"]


def test_what_waited_with_a_record_ends_as_its_contact_is_made(sync: SyncStore) -> None:
    run_id = sync.begin_run("sync", 1)
    sync.stage("crm", [seen("c1")])
    [contact] = decide(sync)
    waits = (Hold("NotShown", "x", "name", "crm"), Hold("Required", "y", "", "marketing"))
    commit(sync, run_id, [replace(plan_for(contact), entries=(), writes=(), holds=waits)])
    assert len(sync.holds()) == 2
    sync.stage("marketing", [seen("m1")])
    sync.touch_held()
    sync.match_records(2_000, run_id)
    [contact] = decide(sync)
    entries = (*plan_for(contact).entries, Entry("change", contact.contact_id, "name", new="Ann", to=("crm",)))
    rename = Write("crm", "update", "c1", {"name": "Ann"}, entries=(1,))
    commit(sync, run_id + 1, [replace(plan_for(contact), entries=entries, writes=(rename,))])
    assert sync.holds() == []


def test_who_met_anothers_record_waits_until_their_own_is_made(sync: SyncStore) -> None:
    linked(sync, "bob")
    run_id, contact_id = created(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [applied(row, "m-bob")], 2_000)
    assert [hold.code for hold in sync.holds()] == ["Ambiguous"]
    sync.touch_held()
    [contact] = decide(sync)
    entry = Entry("create", contact_id, None, "crm", "c1", new={"refs": {"crm": "c1"}, "view": contact.view}, to=("marketing",))
    again = Write("marketing", "create", None, dict(contact.sides["crm"].seen), confirms=("*",), entries=(0,))
    commit(sync, run_id + 1, [replace(plan_for(contact, writes=[again]), entries=(entry,), shadows={"crm": {}})])
    [row] = outbox(sync)
    sync.settle(run_id + 1, [applied(row, "m-ann")], 3_000)
    assert sync.holds() == [] and sync.contact_by("marketing", "m-ann") == contact_id


@pytest.mark.parametrize("hold", [FIELD, WHOLE], ids=["a field", "a record"])
def test_each_side_waits_for_its_own_write(sync: SyncStore, hold: Hold) -> None:
    """What one side refuses is not ended by what the other takes."""
    run_id = refused(sync, hold)
    back = Write("crm", "update", "c-ann", {"name": "Anna"}, entries=(0,))
    rows = tried_again(sync, run_id + 1, [back, RENAME])
    here, there = sorted(rows, key=lambda row: row.side)
    sync.settle(run_id + 1, [Settled(here, "held:Rejected", holds=(replace(hold, side="crm"),))], 3_000)
    sync.settle(run_id + 1, [applied(there)], 3_001)
    assert [(one.side, one.opened_run) for one in sync.holds()] == [("crm", run_id + 1)]
    sync.touch_held()
    [contact] = decide(sync)
    commit(sync, run_id + 2, [plan_for(contact)])
    assert sync.holds() == []


def test_a_plan_without_a_write_ends_what_either_side_had_refused(sync: SyncStore) -> None:
    run_id = refused(sync, FIELD, replace(FIELD, side="crm"))
    assert len(sync.holds()) == 2
    tried_again(sync, run_id + 1, [])
    assert sync.holds() == []


def test_one_write_does_not_end_what_another_of_its_run_has_opened(sync: SyncStore) -> None:
    run_id = refused(sync, WHOLE)
    consent, rename = tried_again(sync, run_id + 1, [RENAME, CONSENT])
    sync.settle(run_id + 1, [Settled(consent, "held:Rejected", holds=(WHOLE,))], 3_000)
    sync.settle(run_id + 1, [applied(rename)], 3_001)
    assert [hold.opened_run for hold in sync.holds()] == [run_id + 1]


def test_a_field_that_the_answer_does_not_show_waits_on(sync: SyncStore) -> None:
    run_id = refused(sync, FIELD)
    [row] = tried_again(sync, run_id + 1, [RENAME])
    sync.settle(run_id + 1, [replace(applied(row), left_out=("name",))], 3_000)
    assert [hold.field for hold in sync.holds()] == ["name"]
