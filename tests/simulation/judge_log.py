"""I15, on a log that a whole history has written: a change to any entry shows, and of an erased person no value is left in any file.

Both spoil the world, so they come last, and for some histories only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import sqlalchemy as sa

from state.store import SyncStore
from syncline.errors import UsageError
from syncline.records import SIDES, Side
from tests.simulation.judge_values import marks
from tests.simulation.world import Violation, World

LOGGED = (
    "at_us", "run_id", "kind", "contact_id", "field", "side", "ref", "old", "new", "rule", "evidence", "reason", "to_sides",
    "mapping_version", "result", "commitment", "leaf",
)  # fmt: skip
_WHOSE = sa.text("SELECT side, ref, contact_id FROM record WHERE sync_id = 1")
_CONTACTS = sa.text("SELECT id FROM contact WHERE sync_id = 1 AND state NOT IN ('erased', 'merged') ORDER BY id")
_HEIRS = sa.text(
    "SELECT DISTINCT heir.id FROM contact AS c JOIN contact AS heir ON heir.sync_id = c.sync_id AND heir.id = c.merged_into"
    " WHERE c.sync_id = 1 AND c.state = 'erased' AND heir.state <> 'erased' UNION"
    " SELECT DISTINCT former.id FROM contact AS former JOIN change_log AS l ON l.sync_id = former.sync_id AND l.contact_id = former.id"
    " JOIN record AS r ON r.sync_id = l.sync_id AND r.side = l.side AND r.ref = l.ref"
    " JOIN contact AS c ON c.sync_id = r.sync_id AND c.id = r.contact_id AND c.state = 'erased'"
    " WHERE former.sync_id = 1 AND former.state <> 'erased' AND EXISTS"
    " (SELECT 1 FROM record AS own WHERE own.sync_id = 1 AND own.contact_id = former.id AND own.liveness = 0)"
)


def tampering_shows(world: World) -> Iterator[Violation]:
    """One entry is changed in one column, behind the engine's back; then it is put right again."""
    world.drop_context()
    with closing(sqlite3.connect(world.database)) as database:
        seqs = [seq for (seq,) in database.execute("SELECT seq FROM change_log WHERE sync_id = 1")]
        if not seqs:
            return
        seq, column = world.rng.choice(seqs), world.rng.choice(LOGGED)
        [[true]] = database.execute(f"SELECT {column} FROM change_log WHERE sync_id = 1 AND seq = ?", (seq,))
        _put(database, seq, column, _another(true))
        if _sound(world):
            yield Violation("I15", f"entry {seq}, {column}: {true!r} was changed, and nobody noticed")
        _put(database, seq, column, true)
    if not _sound(world):
        yield Violation("I15", f"entry {seq} was put right, and does not verify")


def _put(database: sqlite3.Connection, seq: int, column: str, value: object) -> None:
    database.execute(f"UPDATE change_log SET {column} = ? WHERE sync_id = 1 AND seq = ?", (value, seq))
    database.commit()


def _another(value: object) -> object:
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else b"x"
    return value + 1 if isinstance(value, int) else '"tampered"'


def _sound(world: World) -> bool:
    """Whether the log verifies. What is not even readable has been noticed too."""
    try:
        return world.engine().sync.verify().ok
    except UsageError:
        return False
    finally:
        world.drop_context()


def erased_is_gone(world: World) -> Iterator[Violation]:
    """One person is forgotten: what only their records ever said is in no file any more, and the log still verifies.

    A record that nobody has any more is theirs who had it last. What a vendor's merge gave to somebody who is still there is theirs by now.
    So is what one of the records said while it was theirs.
    """
    store, sync = world.engine().store, world.engine().sync
    with store.database.read() as connection:
        contacts = list(connection.execute(_CONTACTS).scalars())
        owners = {(SIDES[row.side], row.ref): row.contact_id for row in connection.execute(_WHOSE)}
    last = _last_owners(sync)
    owners = {which: last.get(which) if owner is None else owner for which, owner in owners.items()}
    if not contacts:
        return
    erased = world.rng.choice(contacts)
    own, others = set[str](), set[str]()
    for side, vendor in world.vendors.items():
        for effect in vendor.effects:
            (own if owners.get((side, effect.ref)) == erased else others).update(marks(effect))
    sync.erase(erased, None, world.now_us)
    for problem in sync.verify().problems:
        yield Violation("I15", f"after contact {erased} was erased: {problem}")
    files = b"".join(path.read_bytes() for path in world.folder.glob("state.sqlite*")).decode("latin-1").lower()
    with store.database.read() as connection:
        heirs = list(connection.execute(_HEIRS).scalars())
    theirs = "\n".join(f"{row.entry.old} {row.entry.new}" for heir in heirs for row in sync.entries(contact_id=heir)).lower()
    for left in sorted(own - others):
        if left in files and left not in theirs:
            yield Violation("I15", f"contact {erased} was erased, and {left} is still in the database")


def _last_owners(sync: SyncStore) -> dict[tuple[Side, str], int]:
    """Whom the log gave each record last."""
    last: dict[tuple[Side, str], int] = {}
    for row in sync.entries():
        entry = row.entry
        if entry.kind == "receipt":
            last.update({(side, ref): owner for owner, side, ref in entry.new["refs"]})
        elif entry.kind in ("create", "link"):
            last.update(dict.fromkeys(entry.new["refs"].items(), entry.contact_id))
        elif entry.kind == "rebind" and entry.new is not None:
            last[entry.side, entry.new] = entry.contact_id
    return last
