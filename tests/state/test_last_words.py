"""What a record said just before it was merged away is heard by its survivor, once: an opt-out must not be lost."""

from __future__ import annotations

import pytest

from state.store import SyncStore
from syncline.plan import Contact
from tests.state.people import commit, decide, linked, plan_for, seen

LAST = {"email": None, "name": "Bob, last words", "tags": []}


def merge_into_ann(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c-bob", at_us=200, fields=LAST, liveness="merged", merged_into="c-ann")])
    for merge in sync.merges():
        sync.apply_merge(merge, None, 50)


def heard(contact: Contact) -> list[str]:
    return [state.seen["name"] for state in contact.losers["crm"]]


def test_a_contact_merged_with_its_partner_alive(sync: SyncStore) -> None:
    linked(sync, "ann"), linked(sync, "bob")
    merge_into_ann(sync)
    [contact] = decide(sync)
    assert heard(contact) == [LAST["name"]]


@pytest.mark.parametrize("planned_before", [0, 2], ids=["at once", "after plans that were dropped"])
def test_a_record_that_never_was_a_contact(sync: SyncStore, planned_before: int) -> None:
    ann = linked(sync, "ann")
    sync.stage("crm", [seen("c-bob", "bob")])
    merge_into_ann(sync)
    assert sync.contact_by("crm", "c-bob") == ann, "erased with her, whatever is decided by then"
    for _ in range(planned_before):
        decide(sync)
        merge_into_ann(sync)
    [contact] = decide(sync)
    assert (contact.contact_id, heard(contact)) == (ann, [LAST["name"]])
    commit(sync, sync.begin_run("sync", 2), [plan_for(contact)])
    again = sync.load_contact(ann)
    assert again is not None and not again.losers
    assert (decide(sync), sync.merges()) == ([], [])
    assert sync.verify().problems == ()


def test_a_contact_merged_with_its_partner_dead(sync: SyncStore) -> None:
    linked(sync, "ann"), linked(sync, "bob")
    sync.stage("marketing", [seen("m-bob", "bob", at_us=150, liveness="archived")])
    commit(sync, sync.begin_run("sync", 1), [plan_for(contact) for contact in decide(sync)])
    merge_into_ann(sync)
    [contact] = decide(sync)
    assert heard(contact) == [LAST["name"]]
    commit(sync, sync.begin_run("sync", 2), [plan_for(contact)])
    again = sync.load_contact(contact.contact_id)
    assert again is not None and not again.losers


def test_a_record_merged_into_one_that_nobody_is_linked_to(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c-ann"), seen("c-bob", "bob")])
    merge_into_ann(sync)
    sync.match_records(60, None)
    [contact] = decide(sync)
    assert (contact.state, heard(contact)) == ("new", [LAST["name"]])
    commit(sync, sync.begin_run("sync", 2), [plan_for(contact)])
    alone = sync.load_contact(contact.contact_id)
    assert alone is not None and heard(alone) == [LAST["name"]], "it waits until there is somebody across to tell"
