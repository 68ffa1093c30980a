"""The change log: it folds to the tables, shows any tampering, and forgets a person completely."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state.echoes import Settled
from state.outbox import OutboxRow
from state.store import Store, SyncStore
from syncline.log import Entry, fold
from syncline.plan import Hold, Write
from tests.state.people import applied, commit, decide, dump, linked, outbox, plan_for, seen

_names = itertools.count(1)
RELAXED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
OUTCOMES = st.sampled_from(["applied", "moved", "held", "rebind"])
STEPS = st.lists(st.tuples(st.sampled_from(["ann", "bob", "eve"]), st.sampled_from(["Ann", "Bo", ""]), OUTCOMES), min_size=1, max_size=6)


def live(sync: SyncStore, steps: list[tuple[str, str, str]]) -> None:
    """A short life: people appear and change in the CRM, writes go well or not."""
    for number, (who, name, outcome) in enumerate(steps):
        run_id = sync.begin_run("sync", number)
        sync.stage("crm", [seen(f"c-{who}", who, name, at_us=10_000 + number)])
        sync.match_records(number, run_id)
        plans = []
        for contact in decide(sync, 10**9):
            across = contact.sides.get("marketing")
            writes = [Write("marketing", "update", across.ref, {"name": name}, confirms=("name",), entries=())] if across else []
            plans.append(plan_for(contact, writes=writes))
        commit(sync, run_id, plans, now_us=number)
        settled = [_settled(row, outcome, number) for row in outbox(sync)]
        sync.settle(run_id, settled, number)


def _settled(row: OutboxRow, outcome: str, number: int) -> Settled:
    match outcome:
        case "applied":
            return applied(row, row.ref or f"m-{row.contact_id}")
        case "rebind":
            return applied(row, f"m-{row.contact_id}-{number}")
        case "held":
            return Settled(row, "held:Rejected", holds=(Hold("Rejected", "no", "name", "marketing"),))
    return Settled(row, "moved")


@settings(max_examples=25, deadline=None, suppress_health_check=RELAXED)
@given(steps=STEPS)
def test_the_log_folds_to_the_tables(store: Store, steps: list[tuple[str, str, str]]) -> None:
    sync = store.sync(f"s{next(_names)}")
    live(sync, steps)
    report = sync.verify([sync.checkpoint()])
    assert report.problems == ()
    folded = fold(row.entry for row in sync.entries())
    for contact_id, said in folded.items():
        contact = sync.load_contact(contact_id)
        assert contact is not None
        assert contact.state == said.state
        assert {name: list(v) if isinstance(v, tuple) else v for name, v in contact.view.items()} == said.view
        assert {side: state.ref for side, state in contact.sides.items()} == said.refs


@settings(max_examples=30, deadline=None, suppress_health_check=RELAXED)
@given(data=st.data())
def test_any_change_of_any_stored_byte_shows(store: Store, data: st.DataObject) -> None:
    sync = store.sync(f"s{next(_names)}")
    live(sync, [("ann", "Ann", "applied"), ("ann", "Bo", "held"), ("bob", "Bo", "moved"), ("bob", "Bo", "rebind")])
    assert sync.verify().ok
    with store.database.write() as connection:
        sync_id = connection.execute(sa.text("SELECT id FROM sync WHERE name = :n"), {"n": sync.name}).scalar_one()
        rows = connection.execute(sa.text("SELECT * FROM change_log WHERE sync_id = :s"), {"s": sync_id}).mappings().all()
        row = data.draw(st.sampled_from(rows))
        column = data.draw(st.sampled_from([name for name in row if name not in ("sync_id", "seq")]))
        value = data.draw(st.just(_other(row[column])) if row[column] is not None else st.just(_some(column)))
        query = sa.text(f"UPDATE change_log SET {column} = :v WHERE sync_id = :s AND seq = :q")
        connection.execute(query, {"v": value, "s": sync_id, "q": row["seq"]})
    assert not sync.verify().ok, f"{column} of {row['seq']}"


def _other(value: object) -> object:
    """One byte, one character or one unit away."""
    if isinstance(value, (bytes, memoryview)):
        return bytes([bytes(value)[0] ^ 1]) + bytes(value)[1:]
    return value + 1 if isinstance(value, int) else f"{value} "


def _some(column: str) -> object:
    return 1 if column in ("run_id", "contact_id", "side") else "x"


def _delete(connection: sa.Connection, where: str) -> None:
    connection.execute(sa.text(f"DELETE FROM change_log WHERE {where}"))


def _swap(connection: sa.Connection) -> None:
    for old, new in ((1, -1), (2, 1), (-1, 2)):
        connection.execute(sa.text("UPDATE change_log SET seq = :new WHERE seq = :old"), {"old": old, "new": new})


@pytest.mark.parametrize("act", ["gap", "tail", "swap", "view", "link", "state", "unlog"])
def test_rows_that_go_or_move_show(store: Store, sync: SyncStore, act: str) -> None:
    live(sync, [("ann", "Ann", "applied"), ("bob", "Bo", "applied")])
    with store.database.write() as connection:
        match act:
            case "gap":
                _delete(connection, "seq = 2")
            case "tail":
                _delete(connection, "seq > 2")
            case "swap":
                _swap(connection)
            case "view":
                connection.execute(sa.text("UPDATE contact SET view = '{}' WHERE id = 1"))
            case "link":
                connection.execute(sa.text("UPDATE record SET contact_id = 1 WHERE ref = 'm-2'"))
            case "state":
                connection.execute(sa.text("UPDATE contact SET state = 'deleted' WHERE id = 1"))
            case "unlog":
                connection.execute(sa.text("DELETE FROM contact WHERE id = 2"))
    assert not sync.verify().ok


def test_a_tail_cut_with_care_shows_only_against_a_checkpoint(store: Store, sync: SyncStore) -> None:
    """Whoever can write the database can also rewrite the stored edge: that is what checkpoints outside are for."""
    entry = Entry("approval", new="run 1", reason="looked right")
    sync.append([entry], None, 1)
    with store.database.read() as connection:
        edge = connection.execute(sa.text("SELECT log_size, log_nodes FROM sync")).one()
    sync.append([entry], None, 2)
    checkpoint = sync.checkpoint()
    with store.database.write() as connection:
        _delete(connection, "seq = 2")
        connection.execute(sa.text("UPDATE sync SET log_size = :n, log_nodes = :e"), {"n": edge.log_size, "e": edge.log_nodes})
    assert sync.verify().ok
    assert "tail was cut" in sync.verify([checkpoint]).problems[0]
    sync.append([Entry("approval", new="run 2", reason="forged")], None, 2)
    assert sync.verify().ok
    assert "not those of the checkpoint" in sync.verify([checkpoint]).problems[0]


def test_old_checkpoints_stay_good_as_the_log_grows(sync: SyncStore) -> None:
    checkpoints = [sync.checkpoint()]
    for number in range(5):
        sync.append([Entry("approval", new=number)], None, number)
        checkpoints.append(sync.checkpoint())
    report = sync.verify(checkpoints)
    assert (report.ok, report.entries, report.root) == (True, 5, checkpoints[-1][1])


def test_entries_are_filtered_and_ordered(sync: SyncStore) -> None:
    live(sync, [("ann", "Ann", "applied"), ("ann", "Bo", "applied")])
    [changed] = sync.entries(contact_id=1, field="name")
    assert (changed.entry.old, changed.entry.new, changed.run_id) == ("Ann", "Bo", 2)
    assert [row.seq for row in sync.entries(ascending=False, limit=2)] == [4, 3]
    assert [row.seq for row in sync.entries(run_id=1)] == [1, 2]
    assert [row.seq for row in sync.entries(since_us=1)] == [3, 4]


def test_the_same_history_gives_the_same_log(store: Store) -> None:
    roots = set()
    for _ in range(2):
        sync = store.sync(f"s{next(_names)}", log_key=b"k" * 32)
        live(sync, [("ann", "Ann", "applied"), ("bob", "Bo", "held"), ("ann", "Bo", "rebind")])
        roots.add(sync.checkpoint())
    assert len(roots) == 1


def test_an_erased_person_is_gone_and_the_log_still_verifies(store: Store, sync: SyncStore) -> None:
    live(sync, [("ann", "Ann", "applied"), ("bob", "Bo", "applied"), ("ann", "Bo", "held")])
    checkpoint = sync.checkpoint()
    assert sync.erase(1, None, 99)
    assert not sync.erase(1, None, 99)
    report = sync.verify([checkpoint])
    assert report.problems == ()
    assert all(row.erased for row in sync.entries(contact_id=1) if row.entry.kind != "erase")
    everything = dump(store)
    assert "ann@people" not in everything
    assert "m-1" not in everything[: everything.index("== record")]  # a tombstone keeps its ref, and nothing else does
    assert "bob@people" in everything
    with store.database.write() as connection:
        connection.execute(sa.text("UPDATE change_log SET commitment = :c WHERE seq = 1"), {"c": b"\0" * 32})
    assert not sync.verify().ok


def test_who_was_merged_into_an_erased_person_or_left_them_a_record_goes_too(store: Store, sync: SyncStore) -> None:
    ann, bob, eve = linked(sync, "ann"), linked(sync, "bob"), linked(sync, "eve")
    sync.stage("crm", [seen("c-ann", at_us=200, absorbed=("c-bob",)), seen("c-eve", "eve", at_us=200, liveness="archived")])
    for merge in sync.merges():
        sync.apply_merge(merge, None, 50)
    sync.append([Entry("rebind", eve, side="marketing", ref="m-eve", old="m-eve", rule="create")], None, 60, "v1")
    with store.database.write() as connection:  # eve's other record is somebody else's by now, as the log says
        connection.execute(sa.text("UPDATE record SET contact_id = :ann WHERE ref = 'm-eve'"), {"ann": ann})
        connection.execute(sa.text("UPDATE contact SET state = 'deleted' WHERE id = :eve"), {"eve": eve})
    assert sync.erase(ann, None, 99)
    assert [sync.erase(gone, None, 99) for gone in (ann, bob, eve)] == [False, False, False]
    everything = dump(store)
    assert [name for name in ("ann", "bob", "eve") if f"{name}@people" in everything] == []


def test_values_cannot_be_removed_without_an_erasure(store: Store, sync: SyncStore) -> None:
    live(sync, [("ann", "Ann", "applied")])
    with store.database.write() as connection:
        connection.execute(sa.text("UPDATE change_log SET old = NULL, new = NULL, ref = NULL, reason = NULL WHERE seq = 1"))
        connection.execute(sa.text("UPDATE contact SET log_key = NULL, view = '{}' WHERE id = 1"))
    assert not sync.verify().ok


def test_an_erased_person_whom_a_vendor_still_shows_is_not_stored_again(sync: SyncStore) -> None:
    contact_id = linked(sync)
    sync.erase(contact_id, None, 99)
    sync.stage("crm", [seen("c-ann", name="Anna", at_us=200)], None, now_us=100)
    contact = sync.load_contact(contact_id)
    assert contact is not None and contact.state == "erased"
    assert [dict(state.seen) for state in contact.sides.values()] == [{}, {}]
    assert decide(sync) == [] and sync.verify().ok


def test_an_erased_person_leaves_no_byte_in_the_file(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "s.sqlite"))
    sync = store.sync("contacts")
    linked(sync, "ann"), linked(sync, "bob")
    run_id = sync.begin_run("sync", 1)
    sync.stage("crm", [seen("c-ann", "ann", "Annabel", at_us=500)])
    sync.save_plan(run_id, 0, [plan_for(contact) for contact in decide(sync)])
    sync.erase(1, None, 99)
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"ann@people" not in files
    assert b"Annabel" not in files
    assert b"bob@people" in files
    store.close()
