"""Runs, the adopted mapping, and the cached vendor schemas of one sync."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from state import codec
from state.log import appending
from state.scope import Scope
from syncline.log import Entry
from syncline.records import Side

_NUMBER = sa.text("UPDATE sync SET next_run_id = next_run_id + 1 WHERE id = :s RETURNING next_run_id - 1, mapping_version")
_DIED = sa.text("UPDATE run SET status = 'died' WHERE sync_id = :s AND status = 'running'")
_BEGIN = sa.text(
    "INSERT INTO run (sync_id, id, kind, status, started_us, mapping_version, counts, message)"
    " VALUES (:s, :id, :kind, 'running', :now, :mapping, '{}', '')"
)
_END = sa.text(
    "UPDATE run SET status = :status, counts = :counts, message = :message, ended_us = :now, mapping_version ="
    " (SELECT mapping_version FROM sync WHERE id = :s) WHERE sync_id = :s AND id = :id"
)
_SELECT = "SELECT * FROM run WHERE sync_id = :s"
_ADOPT = (
    sa.text(
        "INSERT INTO mapping_version (sync_id, number, version, body, run_id, at_us) SELECT :s,"
        " COALESCE(MAX(number), 0) + 1, :version, :body, :run, :now FROM mapping_version WHERE sync_id = :s"
    ).bindparams(sa.bindparam("version", type_=sa.Text), sa.bindparam("body", type_=sa.Text), sa.bindparam("run", type_=sa.Integer)),
    sa.text("UPDATE sync SET mapping_version = :version WHERE id = :s"),
    sa.text("UPDATE record SET shadow = NULL, digest = NULL WHERE sync_id = :s AND (shadow IS NOT NULL OR digest IS NOT NULL)"),
    sa.text("DELETE FROM cursor WHERE sync_id = :s"),
)
_SAVE_SCHEMA = sa.text(
    "INSERT INTO schema_cache (sync_id, side, body, at_us) VALUES (:s, :side, :body, :now)"
    " ON CONFLICT (sync_id, side) DO UPDATE SET body = excluded.body, at_us = excluded.at_us"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `status`: running, died (it never said how it ended), or what `end_run` was told. `counts`: the report's sums."""

    id: int
    kind: str
    status: str
    started_us: int
    ended_us: int | None
    mapping_version: str | None
    counts: Mapping[str, int]
    message: str


class Runs:
    """One sync's runs, mapping and schemas."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def begin_run(self, kind: str, now_us: int) -> int:
        """A new run's id; ids count from 1 in each sync. Runs hold a lease, so one that still calls itself running has died."""
        with self._scope.write() as connection:
            connection.execute(_DIED, {"s": self._scope.sync_id})
            run_id, mapping = connection.execute(_NUMBER, {"s": self._scope.sync_id}).one()
            values = {"s": self._scope.sync_id, "id": run_id, "kind": kind, "now": now_us, "mapping": mapping}
            connection.execute(_BEGIN, values)
        return int(run_id)

    def end_run(self, run_id: int, status: str, counts: Mapping[str, int], message: str, now_us: int) -> None:
        """Close a run with its sums. `message` is for operators: no personal data."""
        values = {
            "s": self._scope.sync_id,
            "id": run_id,
            "status": status,
            "counts": codec.dumps(counts),
            "message": message,
            "now": now_us,
        }
        with self._scope.write() as connection:
            connection.execute(_END, values)

    def runs(self, limit: int = 20) -> list[Run]:
        """The newest runs first."""
        return self._select(" ORDER BY id DESC LIMIT :limit", limit=limit)

    def run(self, run_id: int) -> Run | None:
        return next(iter(self._select(" AND id = :id", id=run_id)), None)

    def _select(self, tail: str, **values: int) -> list[Run]:
        with self._scope.read() as connection:
            rows = connection.execute(sa.text(_SELECT + tail), {"s": self._scope.sync_id, **values}).all()
        return [
            Run(
                row.id, row.kind, row.status, row.started_us, row.ended_us, row.mapping_version,
                codec.loads(row.counts, f"run {row.id}, counts"), row.message,
            )
            for row in rows
        ]  # fmt: skip

    def mapping_version(self) -> str | None:
        """The version that the shadows belong to; None before the first."""
        with self._scope.read() as connection:
            found = connection.execute(sa.text("SELECT mapping_version FROM sync WHERE id = :s"), {"s": self._scope.sync_id}).scalar()
        return None if found is None else str(found)

    def adopt_mapping(self, version: str, text: str, run_id: int | None, now_us: int) -> None:
        """From now on this mapping holds: nothing agreed under the old one is a base any more, and both sides are read whole again."""
        old = self.mapping_version()
        values = {"s": self._scope.sync_id, "version": version, "body": text, "run": run_id, "now": now_us}
        with self._scope.write() as connection, appending(connection, self._scope, run_id, now_us, version) as log:
            for statement in _ADOPT:
                connection.execute(statement, {name: values[name] for name in statement._bindparams})
            log.add(Entry(kind="config", field="mapping", old=old, new=version, rule="adopt"))

    def mapping_text(self, version: str) -> str | None:
        """The text of a mapping that was once adopted."""
        query = sa.text("SELECT body FROM mapping_version WHERE sync_id = :s AND version = :v ORDER BY number DESC LIMIT 1")
        with self._scope.read() as connection:
            found = connection.execute(query, {"s": self._scope.sync_id, "v": version}).scalar()
        return None if found is None else str(found)

    def schema_json(self, side: Side) -> tuple[str, int] | None:
        """(JSON text, when) of the side's last description."""
        query = sa.text("SELECT body, at_us FROM schema_cache WHERE sync_id = :s AND side = :side")
        with self._scope.read() as connection:
            row = connection.execute(query, {"s": self._scope.sync_id, "side": codec.SIDE_NO[side]}).first()
        return None if row is None else (row.body, row.at_us)

    def save_schema(self, side: Side, text: str, now_us: int) -> None:
        """Keep the side's description."""
        values: dict[str, Any] = {"s": self._scope.sync_id, "side": codec.SIDE_NO[side], "body": text, "now": now_us}
        with self._scope.write() as connection:
            connection.execute(_SAVE_SCHEMA, values)
