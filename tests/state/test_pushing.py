"""From plan to settled write: chunks, outbox rows, echoes, refusals, holds, retries."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from msgspec import structs

from state.echoes import Settled
from state.store import SyncStore
from syncline.errors import UsageError
from syncline.plan import Contact, ContactPlan, Hold, Write
from tests.state.people import applied, commit, decide, keys, linked, outbox, plan_for, seen


def load(sync: SyncStore, contact_id: int) -> Contact:
    found = sync.load_contact(contact_id)
    assert found is not None
    return found


def created(sync: SyncStore) -> tuple[int, int]:
    """(run, contact): a CRM record whose creation across is on its way."""
    run_id = sync.begin_run("sync", 1)
    sync.stage("crm", [seen("c1")])
    [contact] = decide(sync)
    commit(sync, run_id, [plan_for(contact)])
    return run_id, contact.contact_id


def renamed(sync: SyncStore, name: str = "Anna") -> tuple[int, int]:
    """(run, contact): a changed CRM name on its way across."""
    contact_id = linked(sync)
    run_id = sync.begin_run("sync", 2)
    sync.stage("crm", [seen("c-ann", name=name, at_us=200)])
    [contact] = decide(sync)
    write = Write(
        "marketing", "update", "m-ann", {"name": name}, expect={"name": "Ann"}, confirms=("name",), entries=(0,), shown={"name": name}
    )
    plan = plan_for(contact, writes=[write])
    waiting = {**contact.sides["crm"].seen, "name": "Ann"}
    commit(sync, run_id, [replace(plan, shadows={"crm": waiting, "marketing": contact.sides["marketing"].seen})])
    return run_id, contact_id


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


def test_a_contact_with_writes_on_their_way_is_not_decided_again(sync: SyncStore) -> None:
    created(sync)
    sync.stage("crm", [seen("c1", name="Edited", at_us=300)])
    assert decide(sync) == []


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


def test_a_write_that_was_left_over_never_takes_the_version_of_an_edit_made_since(sync: SyncStore) -> None:
    """Nor where the record is at rest by now, because its contact was merged away."""
    renamed(sync)
    sync.stage("marketing", [seen("m-ann", name="Annie", at_us=300, version="v9")])
    with sync._scope.write() as connection:
        connection.execute(sa.text("UPDATE record SET dirty = 0"))
    [row] = outbox(sync)
    assert row.moved and row.version is None


def test_a_refused_record_waits_with_its_reason_and_is_not_sent_every_run(sync: SyncStore) -> None:
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [Settled(row, "held:Rejected", hold=Hold("Rejected", "too long", "name", "marketing"))], 2_000)
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
    partly = replace(applied(structs.replace(row, fields={})), hold=Hold("Rejected", "no", "name", "marketing"), left_out=("name", "tags"))
    sync.settle(run_id, [partly], 2_000)
    assert {hold.field for hold in sync.holds(contact_id)} == {"name", "tags"}
    assert [(row.entry.kind, row.result) for row in sync.entries(contact_id=contact_id, field="name")] == [
        ("change", "held:Rejected"),
        ("hold", "agreed"),
    ]
    assert sync.verify().problems == ()


def test_what_an_answer_does_not_show_is_judged_again(sync: SyncStore) -> None:
    run_id, contact_id = renamed(sync)
    [row] = outbox(sync)
    sync.settle(run_id, [replace(applied(structs.replace(row, fields={})), left_out=("name",))], 2_000)
    assert [contact.contact_id for contact in decide(sync)] == [contact_id] and sync.holds() == []
    assert [row.result for row in sync.entries(contact_id=contact_id, field="name")] == ["moved"]


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


def test_consent_goes_first(sync: SyncStore) -> None:
    contact_id, run_id = linked(sync), sync.begin_run("sync", 2)
    sync.stage("crm", [seen("c-ann", name="Anna", at_us=200)])
    [contact] = decide(sync)
    writes = [Write("marketing", "update", "m-ann", {"name": "Anna"}), Write("marketing", "consent", "m-ann", consent={"status": "no"})]
    commit(sync, run_id, [plan_for(contact, writes=writes)])
    assert [(row.phase, row.kind, row.contact_id) for row in outbox(sync)] == [(0, "consent", contact_id), (1, "update", contact_id)]


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
    sync.settle(run_id, [applied(row, "m-bob")], 2_000)
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
