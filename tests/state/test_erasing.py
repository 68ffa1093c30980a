"""Erasing, among runs: no answer that is still to come may bring the person back, and no record that they ever had is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from state.echoes import Settled
from state.store import Store, SyncStore
from syncline.errors import LockHeld, UsageError
from syncline.plan import Write
from tests.state.people import applied, at_rest, commit, decide, dump, linked, outbox, plan_for, seen
from tests.state.under_way import created, load, renamed

MINUTE_US = 60_000_000


def said(sync: SyncStore) -> str:
    """Whatever our copies of the records say."""
    with sync._scope.read() as connection:
        return "\n".join(connection.execute(sa.text("SELECT seen FROM record ORDER BY side, ref")).scalars())


def test_nobody_is_erased_while_a_run_is_under_way(store: Store, sync: SyncStore) -> None:
    run_id, contact = renamed(sync)
    run = store.sync("contacts")
    run.fenced(own := run.lease.acquire("host-a:17", 90, MINUTE_US))
    run.mark_sending([row.id for row in outbox(run)])
    with pytest.raises(LockHeld, match=r"nobody was erased: host-a:17.*try again"):
        sync.erase(contact, None, 99)
    run.settle(run_id, [applied(row) for row in outbox(run)], 2_000)
    assert load(sync, contact).state == "active" and "Anna" in said(sync)
    run.lease.release(own)
    assert sync.erase(contact, None, 99)
    assert set(said(sync).split()) == {"{}"} and sync.verify().problems == ()


def test_a_run_that_starts_while_somebody_is_erased_is_turned_away(store: Store, sync: SyncStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while old copies are removed from the file. Afterwards the lease is free, and who slept through it writes nothing."""
    contact, run, turned_away = linked(sync), store.sync("contacts"), []
    run.fenced(run.lease.acquire("late", 0, 9))

    def scrub() -> None:
        with pytest.raises(LockHeld) as refused:
            run.lease.acquire("host-b:4", 99, MINUTE_US)
        turned_away.append(str(refused.value))

    monkeypatch.setattr(store.database, "scrub", scrub)
    assert sync.erase(contact, None, 99)
    assert [text.partition(" is running")[0] for text in turned_away] == ["an erasure"]
    with pytest.raises(LockHeld):
        run.stage("crm", [seen("c-ann", at_us=900)])
    sync.stage("marketing", [seen("m-bob", "bob")])
    assert run.lease.acquire("host-b:4", 99, MINUTE_US)


def test_who_may_have_been_written_to_is_erased_when_the_answer_was_heard(sync: SyncStore) -> None:
    run_id, contact = created(sync)
    sync.mark_sending([row.id for row in outbox(sync)])
    with pytest.raises(UsageError, match=f"contact {contact} was not erased.*`syncline sync` first"):
        sync.erase(contact, None, 99)
    assert load(sync, contact).state == "active" and sync.outbox_size() == 1
    sync.settle(run_id, [applied(row, "m1") for row in outbox(sync)], 2_000)
    assert sync.erase(contact, None, 99)
    sync.stage("marketing", [seen("m1", at_us=9_000)])
    sync.match_records(9_000, run_id)
    assert decide(sync, 9_000) == [] and "ann@people" not in said(sync)


def test_a_write_that_was_not_sent_goes_with_its_person(sync: SyncStore) -> None:
    _, contact = created(sync)
    assert sync.erase(contact, None, 99)
    assert (sync.outbox_size(), decide(sync), sync.verify().problems) == (0, [], ())


def test_what_was_sent_to_a_contact_that_merged_into_the_person_is_heard_first_too(sync: SyncStore) -> None:
    bob = linked(sync, "bob")
    run_id, ann = renamed(sync)
    rows = outbox(sync)
    sync.mark_sending([row.id for row in rows])
    sync.stage("crm", [seen("c-bob", "bob", at_us=900, absorbed=("c-ann",))])
    for merge in sync.merges():
        sync.apply_merge(merge, None, 50)
    assert (load(sync, ann).state, load(sync, bob).state) == ("merged", "active")
    with pytest.raises(UsageError, match=f"contact {bob} was not erased"):
        sync.erase(bob, None, 99)
    sync.settle(run_id, [Settled(row, "moved") for row in rows], 2_000)
    assert sync.erase(bob, None, 99) and set(said(sync).split()) == {"{}"}


def test_of_an_erased_person_nothing_is_stored_whatever_their_record_still_holds(sync: SyncStore) -> None:
    """As an older version left it, where an answer came after the erasure."""
    contact = linked(sync)
    assert sync.erase(contact, None, 99)
    with sync._scope.write() as connection:
        connection.execute(sa.text("""UPDATE record SET seen = '{"name":"Ann"}', dirty = 0 WHERE ref = 'm-ann'"""))
    sync.stage("marketing", [seen("m-ann", name="Annabel", at_us=900), seen("m-bob", "bob")])
    assert "Annabel" not in said(sync) and "bob@people" in said(sync)
    assert [set(found.sides) for found in decide(sync)] == [{"marketing"}]


def gone(sync: SyncStore, ref: str, who: str = "ann") -> None:
    sync.stage("crm", [seen(ref, who, at_us=None, fields={}, liveness="gone")])
    at_rest(sync, "crm", ref)


def made_anew(sync: SyncStore, ref: str, name: str) -> None:
    """Ann's record in the CRM is deleted, and one made in its place: it joins her contact."""
    sync.stage("crm", [seen(ref, name=name, at_us=500)])
    assert sync.match_records(500, None).paired == 1
    at_rest(sync, "crm", ref)
    at_rest(sync, "marketing", "m-ann")


def test_what_a_record_said_that_another_one_has_replaced_goes_too_and_is_not_stored_again(store: Store, sync: SyncStore) -> None:
    contact, bob = linked(sync, name="Annabel"), linked(sync, "bob")
    gone(sync, "c-ann")
    made_anew(sync, "c2", "Anna")
    gone(sync, "c2")
    made_anew(sync, "c3", "Anne")
    assert [sync.contact_by("crm", ref) for ref in ("c-ann", "c2", "c3", "c-bob")] == [None, None, contact, bob]
    checkpoint = sync.checkpoint()
    assert sync.erase(contact, None, 999)
    for ref in ("c-ann", "c2", "c3"):
        sync.stage("crm", [seen(ref, name="Annabel", at_us=9_000)])
    sync.match_records(9_000, None)
    assert decide(sync, 9_000) == [] and said(sync).count("{}") == 4 and sync.verify([checkpoint]).problems == ()
    everything = dump(store)
    assert [word for word in ("ann@people", "Annabel", "Anna", "Anne") if word in everything] == [] and "bob@people" in everything


def test_a_record_that_a_create_has_replaced_goes_too(sync: SyncStore) -> None:
    run_id, contact = created(sync)
    sync.settle(run_id, [applied(row, "m1") for row in outbox(sync)], 2_000)
    sync.stage("marketing", [seen("m1", name="Annabel", at_us=None, fields={}, liveness="gone")])
    at_rest(sync, "marketing", "m1")
    again = Write("marketing", "create", None, {"email": "ann@people.example"}, confirms=("email",))
    commit(sync, run_id, [replace(plan_for(load(sync, contact)), writes=(again,), entries=())], 1)
    sync.settle(run_id, [applied(row, "m2") for row in outbox(sync)], 3_000)
    assert (sync.contact_by("marketing", "m1"), sync.contact_by("marketing", "m2")) == (None, contact)
    assert sync.erase(contact, None, 9_000) and set(said(sync).split()) == {"{}"}


def test_a_record_that_was_another_contacts_since_stays_with_what_it_said_there(sync: SyncStore) -> None:
    """Ann's record was replaced, came back, and was Bob's for a while: until he too got another."""
    ann, bob = linked(sync), linked(sync, "bob")
    gone(sync, "c-ann")
    made_anew(sync, "c2", "Anna")
    gone(sync, "c-bob", "bob")
    for ref, name in (("c-ann", "Robert"), ("c-new", "Bobby")):
        sync.stage("crm", [seen(ref, "bob", name, at_us=700)])
        assert sync.match_records(700, None).paired == 1 and sync.contact_by("crm", ref) == bob
        gone(sync, ref, "bob")
    assert sync.contact_by("crm", "c-ann") is None
    assert sync.erase(ann, None, 9_000)
    assert "Robert" in said(sync) and "Anna" not in said(sync)
    assert sync.erase(bob, None, 9_000)
    assert set(said(sync).split()) == {"{}"} and sync.verify().problems == ()


def test_what_becomes_of_an_erased_persons_record_later_is_logged_without_it(sync: SyncStore) -> None:
    """Ann signs up again: a new person in the CRM, and marketing brings the record back that it had archived."""
    ann = linked(sync)
    for ref, side in (("c-ann", "crm"), ("m-ann", "marketing")):
        sync.stage(side, [seen(ref, at_us=200, liveness="archived")])
    assert sync.erase(ann, None, 300)
    run_id = sync.begin_run("sync", 3)
    sync.stage("crm", [seen("c-new", at_us=400)])
    [again] = decide(sync)
    commit(sync, run_id, [plan_for(again)])
    sync.settle(run_id, [applied(row, "m-ann") for row in outbox(sync)], 2_000)
    assert sync.contact_by("marketing", "m-ann") == again.contact_id != ann
    rebound = [row for row in sync.entries(contact_id=ann) if row.entry.kind == "rebind"]
    assert [(row.erased, row.entry.ref, row.entry.old, row.entry.reason) for row in rebound] == [(True, None, None, "")]
    assert sync.verify().problems == ()


def test_who_was_erased_by_the_number_of_a_merged_contact_is_nobodys_loser(sync: SyncStore) -> None:
    """Else the winner would archive that record, and the answer would tell of the person again."""
    ann, bob = linked(sync, "ann"), linked(sync, "bob")
    sync.stage("crm", [seen("c-ann", at_us=200, absorbed=("c-bob",))])
    [merge] = sync.merges()
    sync.apply_merge(merge, None, 50)
    assert sync.erase(bob, None, 99)
    [contact] = decide(sync)
    assert contact.contact_id == ann and not any(contact.losers.values())
