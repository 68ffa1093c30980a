"""Proof that the change log is whole: hashes, numbering, results, outside checkpoints, and that it folds to exactly what the tables say.

Streams the log once in order of number. What must be remembered on the way is bounded by writes without a receipt, and by the fold itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from state import codec
from state.log import PAGE, _split, commit, head, log_row, sealed
from state.queries import KEYS_OF
from state.receipts import SURPASSED
from state.scope import Scope
from state.statements import Connection
from state.tables import CHANGE_LOG
from syncline.errors import UsageError
from syncline.log import Entry, Folded, Frontier, fold, leaf_hash
from syncline.records import SIDES

_SYNC = sa.text("SELECT log_size, log_nodes, log_key FROM sync WHERE id = :s")
_CONTACTS = sa.text("SELECT id, state, view FROM contact WHERE sync_id = :s ORDER BY id")
_LINKS = sa.text("SELECT contact_id, side, ref, liveness FROM record WHERE sync_id = :s AND contact_id IS NOT NULL")


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """`ok`: nothing to complain of. `problems`: one line each, naming the entry. `entries`, `root` (hex): of the log as it stands."""

    ok: bool
    problems: tuple[str, ...]
    entries: int
    root: str


@dataclass(slots=True)
class _Audit:
    """The state of one verification."""

    problems: list[str] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    roots: dict[int, str] = field(default_factory=dict)
    results: dict[int, _Result] = field(default_factory=dict)


@dataclass(slots=True)
class _Result:
    """One entry's result: the copy in its column, what receipts have said so far, and how many are still to come (one a side written)."""

    copy: str
    left: int
    said: str = "pending"


class Verification:
    """Verifies the log of one sync."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def verify(self, checkpoints: Sequence[tuple[int, str]] = ()) -> VerifyReport:
        """Check everything; `checkpoints`: (size, root in hex) pairs kept outside this database."""
        audit = _Audit(roots=dict.fromkeys((size for size, _ in checkpoints), ""))
        with self._scope.read() as connection:
            if not self._scope.db.sqlite:
                connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            size, nodes, key = connection.execute(_SYNC, {"s": self._scope.sync_id}).one()
            try:
                folded = fold(self._entries(connection, audit, key))
                self._tables(connection, audit, folded)
            except (LookupError, TypeError, AttributeError, ValueError, UsageError) as error:
                audit.problems.append(f"after entry {audit.frontier.size}: the log cannot be folded ({type(error).__name__})")
        self._ends(audit, size, nodes, checkpoints)
        return VerifyReport(not audit.problems, tuple(audit.problems), audit.frontier.size, audit.frontier.root().hex())

    def _entries(self, connection: Connection, audit: _Audit, sync_key: bytes) -> Iterator[Entry]:
        """The log as entries, each checked on its way to `fold`."""
        audit.roots = {size: Frontier().root().hex() if size == 0 else root for size, root in audit.roots.items()}
        for rows, keys in self._pages(connection):
            for row in rows:
                expected = audit.frontier.size + 1
                if row.seq != expected:
                    audit.problems.append(f"entry {expected} is missing (the next one is {row.seq})")
                _check(audit, row, keys, sync_key)
                audit.frontier.append(bytes(row.leaf))
                if audit.frontier.size in audit.roots:
                    audit.roots[audit.frontier.size] = audit.frontier.root().hex()
                entry = log_row(row).entry
                _results(audit, row, entry)
                yield entry
        audit.problems += [
            f"entry {seq}: its result {result.copy!r} has no receipt" for seq, result in audit.results.items() if result.copy != result.said
        ]

    def _pages(self, connection: Connection) -> Iterator[tuple[Sequence[Any], dict[int, bytes | None]]]:
        after = -1
        while True:
            query = sa.select(CHANGE_LOG).where(CHANGE_LOG.c.sync_id == self._scope.sync_id, CHANGE_LOG.c.seq > after)
            rows = connection.execute(query.order_by(CHANGE_LOG.c.seq).limit(PAGE)).all()
            if not rows:
                return
            ids = {row.contact_id for row in rows if row.contact_id is not None}
            for row in rows:
                if row.kind == "receipt" and row.new is not None:
                    ids |= {item[0] for item in codec.loads(row.new, f"change_log {row.seq}")["refs"]}
            found = connection.execute(KEYS_OF, {"s": self._scope.sync_id, "ids": codec.dumps(sorted(ids))})
            yield rows, {row.id: row.log_key for row in found}
            after = rows[-1].seq

    def _tables(self, connection: Connection, audit: _Audit, folded: dict[int, Folded]) -> None:
        """The fold must be exactly the contacts, their views and their links."""
        s = {"s": self._scope.sync_id}
        links: dict[int, dict[str, dict[str, int]]] = {}
        for row in connection.execute(_LINKS, s):
            links.setdefault(row.contact_id, {}).setdefault(SIDES[row.side], {})[row.ref] = row.liveness
        known = set()
        for row in connection.execute(_CONTACTS, s):
            known.add(row.id)
            said = folded.get(row.id)
            if said is None:
                audit.problems.append(f"contact {row.id}: the log does not know it")
                continue
            if said.state != row.state:
                audit.problems.append(f"contact {row.id}: state is {row.state}, the log says {said.state}")
            if row.state != "erased":
                view = codec.native(row.view, f"contact {row.id}, view")
                if codec.dumps(view) != codec.dumps(said.view):
                    audit.problems.append(f"contact {row.id}: its view is not what the log says")
                if not _linked(said, links.get(row.id, {})):
                    audit.problems.append(f"contact {row.id}: its links are not what the log says")
        audit.problems += [f"contact {contact}: in the log, not in the tables" for contact in sorted(set(folded) - known)]
        audit.problems += [f"contact {contact}: records are linked to it, but it does not exist" for contact in sorted(set(links) - known)]

    def _ends(self, audit: _Audit, size: int, nodes: bytes, checkpoints: Sequence[tuple[int, str]]) -> None:
        if (audit.frontier.size, audit.frontier.nodes) != (size, _split(nodes)):
            audit.problems.append(f"the log holds {audit.frontier.size} entries that do not match its stored edge of {size}")
        for at, root in checkpoints:
            if audit.frontier.size < at:
                audit.problems.append(f"the log ends at entry {audit.frontier.size}, a checkpoint was taken at {at}: its tail was cut")
            elif audit.roots.get(at) != root:
                audit.problems.append(f"entries up to {at} are not those of the checkpoint")


def _check(audit: _Audit, row: Any, keys: dict[int, bytes | None], sync_key: bytes) -> None:
    """Leaf and commitment of one row. Values may be absent only where the contact's key is gone too."""
    if leaf_hash(row.seq, head(row), bytes(row.commitment)) != bytes(row.leaf):
        audit.problems.append(f"entry {row.seq}: its leaf does not match its columns")
    gone = row.contact_id is not None and row.contact_id in keys and keys[row.contact_id] is None
    if gone and row.kind != "erase":
        if (row.old, row.new, row.ref, row.reason) != (None, None, None, None):
            audit.problems.append(f"entry {row.seq}: holds values of an erased contact")
        return
    key = keys.get(row.contact_id) if row.contact_id is not None else None
    if None in (row.old, row.new, row.reason):
        audit.problems.append(f"entry {row.seq}: its values are missing")
        return
    new = row.new
    if row.kind == "receipt":
        told = codec.loads(row.new, f"change_log {row.seq}, new")
        new = sealed(told, keys) if codec.dumps(told) == row.new else ""  # only the text that we would write is ours
    if commit(key or sync_key, row, new) != bytes(row.commitment):
        audit.problems.append(f"entry {row.seq}: its values do not match its commitment")


def _results(audit: _Audit, row: Any, entry: Entry) -> None:
    """An entry's result is a copy of what its receipts say: the first refusal, or `applied` when every side took the write."""
    if row.result != "agreed":
        audit.results[row.seq] = _Result(row.result, max(1, len(entry.to)))
    for seq, said in entry.new["results"] if row.kind == "receipt" else ():
        result = audit.results.get(seq, _Result("agreed", 1))
        result.said, result.left = said if result.said in SURPASSED else result.said, result.left - 1
        if not result.left:
            audit.results.pop(seq, None)
            if result.copy != result.said:
                audit.problems.append(f"entry {seq}: its result is not what receipt {row.seq} says ({said})")


def _linked(said: Folded, links: dict[str, dict[str, int]]) -> bool:
    """Every link of the log is in the tables, and every live record that the tables link is in the log."""
    known = all(ref in links.get(side, {}) for side, ref in said.refs.items())
    return known and all(said.refs.get(side) == ref for side, refs in links.items() for ref, life in refs.items() if life == codec.LIVE)  # type: ignore[call-overload]
