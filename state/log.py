"""The change log: appending, reading, checkpoints. Other parts of `state` append inside their own transaction through `appending`.

What may be personal (`old`, `new`, `ref`, `reason`) enters the hash only through a commitment keyed by that contact's secret. Entries
without a contact use the sync's own key and therefore say nothing personal. A receipt names new refs of many contacts at once: it is
committed to with each ref replaced by a *seal* under its own contact's key, so that one person's ref can go and the rest still verifies.
"""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from state import codec
from state.database import Values, insert
from state.queries import KEYS_OF
from state.scope import Scope
from state.statements import Connection
from state.tables import CHANGE_LOG
from syncline.log import Entry, Frontier, commitment, framed, keyed, leaf_hash
from syncline.records import SIDES, Side

COLUMNS = tuple(column.name for column in CHANGE_LOG.columns)
_INSERT = insert(CHANGE_LOG, COLUMNS)
_NODE = 32
What = tuple[str, str | None, int | None, str, str, str]
"""Kind, field, side, rule, evidence and sides written, of one entry."""

_SAVE = sa.text("UPDATE sync SET log_size = :size, log_nodes = :nodes WHERE id = :s")
PAGE = 2000
_FORGOTTEN: dict[str, Any] = {
    kind: {"refs": {}, "view": {}} for kind in ("create", "link")
}  # so that what is left of an erased contact still folds


@dataclass(frozen=True, slots=True)
class LogRow:
    """One stored entry. `result`: agreed, pending, or what became of its write. `erased`: its values are gone for good."""

    seq: int
    at_us: int
    run_id: int | None
    entry: Entry
    mapping_version: str
    result: str
    erased: bool = False


def head(row: Any) -> str:
    """Every stored column that is not personal, as text, in a fixed order: what the leaf hash covers besides the commitment."""
    before, after = _around(
        (row.kind, row.field, row.side, row.rule, row.evidence, row.to_sides), row.at_us, row.run_id, row.mapping_version
    )
    return before + framed((_text(row.contact_id),)) + after


def _around(what: What, at_us: int, run_id: int | None, mapping_version: str) -> tuple[str, str]:
    """The head's columns before and after its contact."""
    kind, field, side, rule, evidence, to_sides = what
    before = framed((str(at_us), _text(run_id), kind))
    return before, framed((field or "", _text(side), rule, evidence, to_sides, mapping_version))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def seal(key: bytes, ref: str) -> dict[str, str]:
    """What stands for a ref in a receipt's commitment, and in the receipt itself once its person is erased."""
    return {"seal": keyed(key, f"seal\x1f{ref}").hex()}


def sealed(new: Mapping[str, Any], keys: Mapping[int, bytes | None]) -> str:
    """A receipt's text as committed to. Refs of erased contacts (no key) are seals already."""
    refs = [
        [contact, side, seal(key, ref) if (key := keys.get(contact)) and isinstance(ref, str) else ref]
        for contact, side, ref in new["refs"]
    ]
    return codec.dumps({"results": new["results"], "refs": refs})


def commit(key: bytes, row: Any, new: str) -> bytes:
    """The commitment of a row that holds its values; `new` is its JSON text (of a receipt: the sealed one)."""
    return commitment(key, row.old, new, _about(row.ref, row.reason))


def _about(ref: str | None, reason: str) -> str:
    return f"{ref or ''}\x1f{reason}"


class StoredEntry(msgspec.Struct, array_like=True, gc=False):
    """An `Entry` on its way from a stored plan to the log, in its order: its values stay the text they are stored as."""

    kind: str
    contact_id: int | None
    field: str | None
    side: Side | None
    ref: str | None
    old: msgspec.Raw
    new: msgspec.Raw
    rule: str
    evidence: str
    reason: str
    to: tuple[str, ...]


class Appender:
    """Appends to the log inside one open transaction. `next` is the number the next entry gets."""

    def __init__(self, connection: Connection, scope: Scope, run_id: int | None, now_us: int, mapping_version: str | None) -> None:
        lock = "" if scope.db.sqlite else " FOR UPDATE"
        query = sa.text(f"SELECT log_size, log_nodes, log_key, mapping_version FROM sync WHERE id = :s{lock}")
        size, nodes, self._key, adopted = connection.execute(query, {"s": scope.sync_id}).one()
        self._frontier = Frontier(size, _split(nodes))
        self._connection, self._scope, self._run_id, self._now_us = connection, scope, run_id, now_us
        self._mapping = mapping_version or adopted or ""
        self._heads: dict[What, tuple[str, str]] = {}
        self._rows: list[Values] = []

    @property
    def next(self) -> int:
        return self._frontier.size + 1

    def add(self, entry: Entry, key: bytes | None = None, result: str = "agreed", committed: str | None = None) -> int:
        """Append one entry and return its number. `key`: its contact's secret; `committed`: stands for `new` in the commitment.

        Of a contact without a key, an erased one, only that it happened is kept.
        """
        return self.append(entry, codec.dumps(entry.old), codec.dumps(entry.new), key, result, committed)

    def append(
        self, entry: Entry | StoredEntry, old: str, new: str, key: bytes | None, result: str = "agreed", committed: str | None = None
    ) -> int:
        """As `add`, for values that are text already."""
        kind, contact_id, field, ref, rule, evidence = entry.kind, entry.contact_id, entry.field, entry.ref, entry.rule, entry.evidence
        reason, to_sides, mapping = entry.reason, ",".join(entry.to), self._mapping
        if contact_id is not None and key is None and kind != "erase":  # somebody erased, whose tombstone another contact takes, say
            old = new = ref = reason = committed = None  # type: ignore[assignment]
        side = None if entry.side is None else codec.SIDE_NO[entry.side]
        seq = self._frontier.size + 1
        pledge = commitment(key or self._key, old, new if committed is None else committed, _about(ref, reason))
        what = (kind, field, side, rule, evidence, to_sides)
        if what not in self._heads:  # a chunk says the same of many contacts
            self._heads[what] = _around(what, self._now_us, self._run_id, mapping)
        before, after = self._heads[what]
        leaf = leaf_hash(seq, before + framed((_text(contact_id),)) + after, pledge)
        self._frontier.append(leaf)
        # fmt: off
        self._rows.append((
            self._scope.sync_id, seq, self._now_us, self._run_id, kind, contact_id, field, side, ref, old, new, rule, evidence, reason,
            to_sides, mapping, result, pledge, leaf,
        ))
        # fmt: on
        return seq

    def save(self) -> None:
        """Store the entries and the tree's new edge."""
        if self._rows:
            self._scope.db.many(self._connection, _INSERT, self._rows)
            values = {"s": self._scope.sync_id, "size": self._frontier.size, "nodes": b"".join(self._frontier.nodes)}
            self._connection.execute(_SAVE, values)


@contextmanager
def appending(
    connection: Connection, scope: Scope, run_id: int | None, now_us: int, mapping_version: str | None = None
) -> Iterator[Appender]:
    """An Appender that is saved when the block ends well."""
    log = Appender(connection, scope, run_id, now_us, mapping_version)
    yield log
    log.save()


def _split(nodes: bytes) -> list[bytes]:
    return [nodes[at : at + _NODE] for at in range(0, len(nodes), _NODE)]


def log_row(row: Any) -> LogRow:
    """A stored row as people and `fold` read it."""
    where = f"change_log {row.seq}"
    erased = row.old is None
    entry = Entry(
        kind=row.kind,
        contact_id=row.contact_id,
        field=row.field,
        side=None if row.side is None else SIDES[row.side],
        ref=row.ref,
        old=None if erased else codec.loads(row.old, where),
        new=_FORGOTTEN.get(row.kind) if row.new is None else codec.loads(row.new, where),
        rule=row.rule,
        evidence=row.evidence,
        reason=row.reason or "",
        to=tuple(row.to_sides.split(",")) if row.to_sides else (),
    )
    return LogRow(row.seq, row.at_us, row.run_id, entry, row.mapping_version, row.result, erased)


class ChangeLog:
    """Reading the log, and appending what happens outside a commit (approvals and the like)."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def append(self, entries: Sequence[Entry], run_id: int | None, now_us: int, mapping_version: str | None = None) -> None:
        """Append entries of the sync itself (no contact) or of contacts, each under its key, in one transaction."""
        with self._scope.write() as connection, appending(connection, self._scope, run_id, now_us, mapping_version) as log:
            keys = contact_keys(connection, self._scope, [e.contact_id for e in entries if e.contact_id is not None])
            for entry in entries:
                log.add(entry, keys.get(entry.contact_id) if entry.contact_id is not None else None)

    def entries(
        self,
        contact_id: int | None = None,
        run_id: int | None = None,
        field: str | None = None,
        since_us: int | None = None,
        limit: int | None = None,
        ascending: bool = True,
    ) -> Iterator[LogRow]:
        """Entries that meet every given condition, streamed in pages; oldest first unless `ascending` is False."""
        wanted = {"contact_id": contact_id, "run_id": run_id, "field": field}
        where = [CHANGE_LOG.c.sync_id == self._scope.sync_id]
        where += [CHANGE_LOG.c[name] == value for name, value in wanted.items() if value is not None]
        where += [] if since_us is None else [CHANGE_LOG.c.at_us >= since_us]
        for at, row in enumerate(self._rows(where, ascending)):
            if at == limit:
                return
            yield log_row(row)

    def _rows(self, where: list[Any], ascending: bool) -> Iterator[Any]:
        seq = CHANGE_LOG.c.seq
        beyond: list[Any] = []
        while True:
            query = sa.select(CHANGE_LOG).where(*where, *beyond).order_by(seq if ascending else seq.desc()).limit(PAGE)
            with self._scope.read() as connection:
                rows = connection.execute(query).all()
            yield from rows
            if len(rows) < PAGE:
                return
            beyond = [seq > rows[-1].seq if ascending else seq < rows[-1].seq]

    def checkpoint(self) -> tuple[int, str]:
        """(entries, root in hex): keep it outside the database; `verify` compares."""
        with self._scope.read() as connection:
            query = sa.text("SELECT log_size, log_nodes FROM sync WHERE id = :s")
            size, nodes = connection.execute(query, {"s": self._scope.sync_id}).one()
        return size, Frontier(size, _split(nodes)).root().hex()


def contact_keys(connection: Connection, scope: Scope, contact_ids: Sequence[int]) -> dict[int, bytes | None]:
    """Contacts' secrets by id; None once erased."""
    found = connection.execute(KEYS_OF, {"s": scope.sync_id, "ids": codec.dumps(contact_ids)})
    return {row.id: row.log_key for row in found}
