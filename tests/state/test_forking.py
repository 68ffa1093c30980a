"""A trial copy of a sync: as it was, alone, and gone without a trace."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from state import forking
from state.store import Store, SyncStore
from state.tables import SQLModel
from tests.state.people import commit, decide, plan_for, seen


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with store.database.read() as connection:
        return {t.name: sorted(map(tuple, connection.execute(sa.select(t))), key=repr) for t in SQLModel.metadata.sorted_tables}


def test_a_copy_decides_as_the_sync_would_and_leaves_no_trace(store: Store, sync: SyncStore) -> None:
    run = sync.begin_run("sync", 1_000)
    sync.stage("crm", [seen("1"), seen("2", "ben", "Ben")], None, now_us=1_000)
    commit(sync, run, [plan_for(contact) for contact in decide(sync)])
    sync.stage("crm", [seen("1", name="Anna", at_us=200)], None, now_us=2_000)
    before = rows(store)

    trial = store.fork(sync.name)
    assert [(c.contact_id, c.view, dict(c.sides)) for c in decide(trial)] == [(c.contact_id, c.view, dict(c.sides)) for c in decide(sync)]
    trial.adopt_mapping("v2", "version: 1", trial.begin_run("plan", 3_000), 3_000)
    assert rows(store) != before

    store.drop_fork(sync.name)
    assert rows(store) == before


def test_only_a_trial_copy_can_be_dropped(store: Store, sync: SyncStore) -> None:
    with pytest.raises(ValueError, match="not a trial copy"):
        forking.drop(store.database, sync.name)
