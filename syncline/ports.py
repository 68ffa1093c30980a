"""What a connector is. Connectors implement it; flows call it; `syncline.testing.ConnectorContract` proves it.

A connector speaks native words only: it never hears of canonical fields, mappings or the other side. All its methods are plain blocking
calls and generators. It raises only `syncline.errors`; in `push`, an error that concerns one change travels in that change's receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from syncline.cursor import Cursor
from syncline.errors import SyncError
from syncline.records import Record, value

FieldType = Literal["text", "email", "phone", "number", "boolean", "date", "instant", "choice", "set", "country", "owner"]
Kind = Literal["consent", "create", "update", "archive", "restore"]
Recheck = Literal["conditional", "batch_read", "delta_poll"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one platform can do, said once, so that the engine need not guess.

    `overlap_s`: how late a row may become visible, seconds. `evidence`: the best change time it gives. `versions`: `Change.version` makes a
    write conditional. `deletes`: how they are learnt. `merges`: whether survivors name their losers (`absorbed`) or losers their survivor
    (`pointer`). `create_key`: the native field whose uniqueness makes a repeated create harmless; None means a lookup must come first.
    `recheck`: the best way to look again before an overwrite.
    """

    incremental: Literal["modified_since", "none"]
    overlap_s: int
    evidence: Literal["field", "record", "none"]
    versions: bool
    deletes: Literal["by_absence", "feed", "flag"]
    merges: Literal["none", "absorbed", "pointer"]
    create_key: str | None
    batch_read: int
    batch_write: int
    recheck: Recheck
    can_restore: bool = False


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One native field as the vendor describes it. `options`: the API values of a choice or set, in the vendor's order, () when open."""

    name: str
    type: FieldType
    label: str = ""
    writable: bool = True
    required: bool = False
    unique: bool = False
    consent: bool = False
    max_length: int | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of one object. `owners`: owner id → address, for mapping owners, when the platform has them."""

    object: str
    fields: Mapping[str, FieldInfo]
    owners: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """What a cheap, read-only call says of the account. `missing_scopes` is () when all we need is granted."""

    account: str
    scopes: tuple[str, ...] = ()
    missing_scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Records in the order the vendor gave them. `cursor`: what may be stored once this page is staged.

    `complete` is True only on the last page of a *full* listing that is known to be whole: only then does absence mean anything.
    `raw`, where a connector keeps it: for each record its ref and the vendor's own bytes of it. The same bytes of one ref always make the
    same record, so `records` may make each one only when it is asked for: in a sweep hardly any is.
    """

    records: Sequence[Record]
    cursor: Cursor
    complete: bool = False
    raw: Sequence[tuple[str, bytes]] = ()


@value
class Change:
    """One intended write. `key` names it for ever: the same intent always has the same key.

    `fields`: native values, only those that must change ("" or None clears). `consent`: native consent values, sent through the vendor's
    consent channel: alone when `kind` is "consent", together with a "create" because a new record must be born with the right consent.
    `version`: the version the write was decided on, for conditional writes. `anchor`: the current native values of the fields that the
    connector names in `anchors`, which its vendor needs to address a record (a member's address, say).
    """

    key: str
    kind: Kind
    ref: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    consent: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None
    anchor: Mapping[str, Any] = field(default_factory=dict)


@value
class Receipt:
    """What became of one change. `record` is the echo: what the vendor now shows, with the asked fields; None if it must be read back.

    `error` is None when the change was applied. A receipt with neither is an applied change without an echo.
    """

    key: str
    ref: str | None = None
    record: Record | None = None
    error: SyncError | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a connector is built from. `options` come from the mapping's side, `secrets` from the environment or a Prefect block.

    `base_url` points it at a twin, a mock or a proxy; None means the vendor's own host. `call_budget` bounds the calls of one run.
    """

    base_url: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    call_budget: int | None = None
    timeout_s: float = 60.0


@runtime_checkable
class Connector(Protocol):
    """One platform. Built as `Connector(settings)`; `secrets` names the secrets it needs; `close()` frees its connections.

    `fields` is the tuple of native names wanted, fixed for a run; `Record.fields` holds them in that order. `clock_offset_us` is the
    vendor's clock minus ours as last seen (0 when unknown), so that times of two vendors can be compared. `anchors`: native fields that
    every change of an existing record must bring along in `Change.anchor`.
    """

    name: str
    title: str
    secrets: tuple[str, ...]
    objects: tuple[str, ...]
    anchors: tuple[str, ...]
    capabilities: Capabilities
    clock_offset_us: int

    def check(self) -> Health:
        """A cheap, read-only call that names the account. Raises AuthFailed, Forbidden, Unreachable."""

    def describe(self, object: str) -> Schema:
        """The object's fields, types, lengths, options. Raises UsageError for an object it does not know."""

    def pull(self, object: str, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        """Changes since `cursor`, or a full listing (archived ones too) when it is None or holds a `token`. May repeat, must never skip.

        Always yields at least one page, empty if nothing changed, so that the cursor moves.
        """

    def read(self, object: str, fields: tuple[str, ...], refs: Sequence[str]) -> Iterator[Record]:
        """The records as they are now, batched; one for each ref, in any order; one not there is "gone" or "merged"."""

    def find(self, object: str, fields: tuple[str, ...], field: str, values: Sequence[str]) -> Iterator[Record]:
        """The live records whose native `field` (the create key) equals one of `values`, by a strongly consistent lookup."""

    def push(self, object: str, fields: tuple[str, ...], changes: Iterable[Change]) -> Iterator[Receipt]:
        """Writes, batched; exactly one receipt per change, as soon as it is known. Consent goes through the vendor's consent channel."""

    def close(self) -> None:
        """Frees connections; safe to call twice."""
