"""Contacts that have a write under way: a record to be made across, or a name to be carried over."""

from __future__ import annotations

from dataclasses import replace

from state.store import SyncStore
from syncline.plan import Contact, Write
from tests.state.people import commit, decide, linked, plan_for, seen


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
