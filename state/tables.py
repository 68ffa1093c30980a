"""The tables, for schema and migrations; bulk work goes through Core statements on them. `state` alone imports this.

Times are integer microseconds (`*_us`). Sides and livenesses are small integers (see `codec`). JSON columns are TEXT, written once by
`codec`, so that SQLite and Postgres hold the same bytes and the log hashes the same text. What lives only until it is carried out (plans,
the outbox) is JSON in bytes: text would be decoded and encoded again at each of its four borders, and nobody looks into it.
"""

from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, Table, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

# Set before any model: unnamed constraints cannot be dropped by a downgrade.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def _where(condition: str) -> Any:  # a partial index, in both dialects
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _sync(**options: Any) -> Any:  # the owning sync: first column of every key
    return Field(foreign_key="sync.id", **options)


def _text(default: Any = ..., **options: Any) -> Any:
    return Field(default, sa_type=Text, **options)


def _us(default: Any = ..., **options: Any) -> Any:
    return Field(default, sa_type=BigInteger, **options)


def _small(default: Any = ..., **options: Any) -> Any:
    return Field(default, sa_type=SmallInteger, **options)


def _blob(default: Any = ..., **options: Any) -> Any:
    return Field(default, sa_type=LargeBinary, **options)


class Sync(SQLModel, table=True):
    """One pair of objects kept in step. `staged`: number of the last staging. `log_*`: the change log's size, tree edge and own key."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = _text(unique=True)
    mapping_version: str | None = _text(None)
    next_contact_id: int = _us(1)
    next_run_id: int = Field(default=1)
    staged: int = _us(0)
    log_size: int = _us(0)
    log_nodes: bytes = _blob()
    log_key: bytes = _blob()


class MappingVersion(SQLModel, table=True):
    """Every mapping that was ever adopted, as text."""

    __tablename__ = "mapping_version"
    sync_id: int = _sync(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: str = _text()
    body: str = _text()
    run_id: int | None = None
    at_us: int = _us()


class Record(SQLModel, table=True):
    """One record of one side. `seen`: the newest observation; `shadow`: what was last agreed. `dirty`: 1 decide, 0 rest, 2 wait: ambiguous,
    or merged away and not heard yet.

    `staged`: the staging that last touched it, so that a plan approved later cannot clear a newer one. `pair_ref`: its match across.
    """

    __table_args__ = (
        Index("ix_record_contact", "sync_id", "contact_id", **_where("contact_id IS NOT NULL")),
        Index("ix_record_dirty", "sync_id", "contact_id", "side", "ref", **_where("dirty = 1")),
        Index("ix_record_unheard", "sync_id", "side", "merged_into", **_where("dirty = 2")),
        Index("ix_record_key_1", "sync_id", "key_1", **_where("key_1 IS NOT NULL")),
        Index("ix_record_key_2", "sync_id", "key_2", **_where("key_2 IS NOT NULL")),
        # What a poll asks of nearly every record, without touching its fat row.
        Index("ix_record_digest", "sync_id", "side", "ref", "digest", "liveness"),
    )
    sync_id: int = _sync(primary_key=True)
    side: int = _small(primary_key=True)
    ref: str = _text(primary_key=True)
    contact_id: int | None = _us(None)
    key_1: str | None = _text(None)
    key_2: str | None = _text(None)
    digest: bytes | None = _blob(None)
    seen: str = _text()
    shadow: str | None = _text(None)
    liveness: int = _small()
    merged_into: str | None = _text(None)
    absorbed: str | None = _text(None)
    modified_us: int | None = _us(None)
    version: str | None = _text(None)
    proof: str | None = _text(None)
    field_times: str | None = _text(None)
    dirty: int = _small()
    staged: int = _us()
    attempts: int = Field(default=0)
    retry_at_us: int | None = _us(None)
    pair_ref: str | None = _text(None)


class Contact(SQLModel, table=True):
    """What both sides mean. `log_key`: this person's secret in the log, null once erased. `provenance`: field → [side, rule, run, seq]."""

    __table_args__ = (
        Index(
            "ix_contact_merged",
            "sync_id",
            "merged_into",
            **_where("merged_into IS NOT NULL"),
        ),
    )
    sync_id: int = _sync(primary_key=True)
    id: int = _us(primary_key=True, sa_column_kwargs={"autoincrement": False})
    state: str = _text()
    view: str = _text()
    agreed_us: str = _text()
    provenance: str = _text()
    log_key: bytes | None = _blob(None)
    merged_into: int | None = _us(None)


class ChangeLog(SQLModel, table=True):
    """The append-only log. `old`, `new`, `ref`, `reason` may be personal: hashed through `commitment` only, null once erased."""

    __tablename__ = "change_log"
    __table_args__ = (
        Index("ix_change_log_contact", "sync_id", "contact_id", "seq"),
        Index("ix_change_log_run", "sync_id", "run_id", "seq"),
    )
    sync_id: int = _sync(primary_key=True)
    seq: int = _us(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at_us: int = _us()
    run_id: int | None = None
    kind: str = _text()
    contact_id: int | None = _us(None)
    field: str | None = _text(None)
    side: int | None = _small(None)
    ref: str | None = _text(None)
    old: str | None = _text(None)
    new: str | None = _text(None)
    rule: str = _text()
    evidence: str = _text()
    reason: str | None = _text(None)
    to_sides: str = _text()
    mapping_version: str = _text()
    result: str = _text()
    commitment: bytes = _blob()
    leaf: bytes = _blob()


class Outbox(SQLModel, table=True):
    """One intended write, live. `phase`: 0 consent, 1 everything else."""

    __table_args__ = (
        UniqueConstraint("sync_id", "key"),
        Index("ix_outbox_claim", "sync_id", "phase", "side", "kind", "id"),
        Index("ix_outbox_contact", "sync_id", "contact_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    sync_id: int = _sync()
    run_id: int
    phase: int = _small()
    side: int = _small()
    contact_id: int = _us()
    kind: str = _text()
    ref: str | None = _text(None)
    key: str = _text()
    body: bytes = _blob()


class Sent(SQLModel, table=True):
    """Writes that may have reached the vendor. Beside the outbox, because marking one there would write its whole wide row again."""

    outbox_id: int = Field(foreign_key="outbox.id", ondelete="CASCADE", primary_key=True, sa_column_kwargs={"autoincrement": False})


class PlanChunk(SQLModel, table=True):
    """A chunk of a run's inert plan and what the guard weighs of it."""

    __tablename__ = "plan_chunk"
    sync_id: int = _sync(primary_key=True)
    run_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    staged: int = _us()
    body: bytes = _blob()
    contacts: int = 0
    creates: int = 0
    updates: int = 0
    archives: int = 0
    blanks: int = 0
    unsubscribes: int = 0
    overwrites: int = 0
    holds: int = 0
    links: int = 0


class Hold(SQLModel, table=True):
    """Something that waits for a person. Owned by a contact, or by an unlinked record (`side`, `ref`) when there is no contact yet."""

    __table_args__ = (Index("ix_hold_open", "sync_id", "contact_id", **_where("open = 1")),)
    id: int | None = Field(default=None, primary_key=True)
    sync_id: int = _sync()
    contact_id: int | None = _us(None)
    side: int | None = _small(None)
    ref: str | None = _text(None)
    field: str = _text("")
    code: str = _text()
    reason: str = _text()
    open: int = _small(1)
    opened_us: int = _us()
    opened_run: int | None = None
    closed_us: int | None = _us(None)


class Cursor(SQLModel, table=True):
    """How far each side has been staged. With a `token`, a listing is under way, and polls stood at `polled_us`, `polled_ref` before it."""

    sync_id: int = _sync(primary_key=True)
    side: int = _small(primary_key=True)
    at_us: int = _us()
    ref: str = _text()
    token: str | None = _text(None)
    polled_us: int | None = _us(None)
    polled_ref: str | None = _text(None)


class Run(SQLModel, table=True):
    """One run. Numbers count per sync, so that the same history gives the same log."""

    sync_id: int = _sync(primary_key=True)
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = _text()
    status: str = _text()
    started_us: int = _us()
    ended_us: int | None = _us(None)
    mapping_version: str | None = _text(None)
    counts: str = _text("{}")
    message: str = _text("")


class Lease(SQLModel, table=True):
    """Who may write to a sync. The row stays when nobody holds it: `fencing` only ever grows."""

    sync_id: int = _sync(primary_key=True)
    fencing: int = _us()
    holder: str | None = _text(None)
    expires_us: int = _us()


class SchemaCache(SQLModel, table=True):
    """The vendor's fields as last described."""

    __tablename__ = "schema_cache"
    sync_id: int = _sync(primary_key=True)
    side: int = _small(primary_key=True)
    body: str = _text()
    at_us: int = _us()


class Swept(SQLModel, table=True):
    """What the running full listing has shown so far, a row for some pages; known live records that it lacks at its end are gone.

    `refs`: a JSON array, because a row for each ref would cost more than all else that an unchanged record needs. `older`: those of them
    that it showed as they were before we last saw them.
    """

    __table_args__ = (Index("ix_swept_side", "sync_id", "side"),)
    id: int | None = Field(default=None, primary_key=True)
    sync_id: int = _sync()
    side: int = _small()
    refs: str = _text()
    live: int
    older: str = _text("[]")


def _table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


SYNC, RECORD, CONTACT, CHANGE_LOG = _table("sync"), _table("record"), _table("contact"), _table("change_log")
OUTBOX, HOLD, PLAN_CHUNK, SWEPT = _table("outbox"), _table("hold"), _table("plan_chunk"), _table("swept")
