"""One run at a time, wherever it starts (case H-03)."""

from __future__ import annotations

import pytest

from state.store import Store, SyncStore
from syncline.errors import LockHeld
from tests.state.people import seen

MINUTE_US = 60_000_000


def test_a_held_lease_is_refused_and_names_holder_and_end(sync: SyncStore) -> None:
    sync.lease.acquire("host-a:17", 0, MINUTE_US)
    with pytest.raises(LockHeld, match=r"host-a:17.*1970-01-01 00:01:00Z"):
        sync.lease.acquire("host-b:4", MINUTE_US - 1, MINUTE_US)


def test_an_expired_lease_is_taken_over_and_the_late_one_writes_nothing(sync: SyncStore, store: Store) -> None:
    sync.fenced(sync.lease.acquire("host-a:17", 0, MINUTE_US))
    sync.stage("crm", [seen("c1")])
    other = store.sync("contacts")
    other.fenced(other.lease.acquire("host-b:4", MINUTE_US, MINUTE_US))
    with pytest.raises(LockHeld):
        sync.stage("crm", [seen("c2", "bob")])
    with pytest.raises(LockHeld):
        sync.begin_run("sync", 1)
    assert other.live_count("crm") == 1


def test_renewing_keeps_it_and_fails_once_it_is_lost(sync: SyncStore) -> None:
    first = sync.lease.acquire("a", 0, MINUTE_US)
    sync.lease.renew(first, MINUTE_US - 1, MINUTE_US)
    with pytest.raises(LockHeld):
        sync.lease.acquire("b", MINUTE_US + 1, MINUTE_US)
    second = sync.lease.acquire("b", 3 * MINUTE_US, MINUTE_US)
    assert second > first
    with pytest.raises(LockHeld):
        sync.lease.renew(first, 3 * MINUTE_US, MINUTE_US)


def test_a_released_lease_is_free_at_once_and_a_late_release_frees_nothing(sync: SyncStore) -> None:
    first = sync.lease.acquire("a", 0, MINUTE_US)
    sync.lease.release(first)
    second = sync.lease.acquire("b", 1, MINUTE_US)
    sync.lease.release(first)
    with pytest.raises(LockHeld):
        sync.lease.acquire("c", 2, MINUTE_US)
    sync.lease.renew(second, 2, MINUTE_US)


def test_syncs_do_not_share_a_lease(store: Store) -> None:
    store.sync("one").lease.acquire("a", 0, MINUTE_US)
    assert store.sync("two").lease.acquire("b", 0, MINUTE_US) == 1
