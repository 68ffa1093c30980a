"""HubSpot's shapes: rows, answers and properties, turned into records and field descriptions. No I/O. Only `hubspot*` import it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec.structs import astuple

from connectors.typed import asked, layout
from syncline.ports import FieldInfo, FieldType
from syncline.records import Record

TITLE = "HubSpot"
OPT_OUT = "hs_email_optout"
MERGED_IDS = "hs_merged_object_ids"
MODIFIED = "lastmodifieddate"
STAGE = "lifecyclestage"


Properties = TypeVar("Properties")


class Row(msgspec.Struct, Generic[Properties], gc=False):
    """One contact of an answer. Whatever else the vendor sends is passed over while decoding."""

    id: str
    properties: Properties
    updatedAt: str = ""
    archived: bool = False
    objectWriteTraceId: str | None = None


class Next(msgspec.Struct):
    after: str = ""


class Paging(msgspec.Struct):
    next: Next | None = None


class Paged(msgspec.Struct):
    """What every answer of several pages says of the next."""

    paging: Paging | None = None

    @property
    def after(self) -> str:
        """Where the next page begins, "" on the last."""
        return self.paging.next.after if self.paging and self.paging.next else ""


class Answer(Paged, Generic[Properties]):
    """A list, a search or a batch. `errors` are the per-item problems of a 207."""

    results: list[Row[Properties]] = []
    errors: list[dict[str, Any]] = []
    total: int = 0


class Listed(Paged):
    """A page of a listing, its rows still the vendor's bytes."""

    results: list[msgspec.Raw] = []


class Named(msgspec.Struct, gc=False):
    """All that must be known of a row whose bytes may be known already."""

    id: str


LISTED = msgspec.json.Decoder(Listed)
_named = msgspec.json.Decoder(Named)
ANSWER = msgspec.json.Decoder(Answer[dict[str, Any]])
"""Of writes, whose answers show what was sent and more."""


@lru_cache(maxsize=16)
def asked_of(fields: tuple[str, ...]) -> type[msgspec.Struct]:
    """The properties that a read with these fields takes from its answer, as a struct."""
    return asked(wanted(fields))


@lru_cache(maxsize=16)
def answer_to(fields: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """The decoder of a read's Answer."""
    return msgspec.json.Decoder(Answer[asked_of(fields)])  # type: ignore[misc]


def ref_of(row: bytes) -> str:
    """The id of a row of `LISTED`."""
    return _named.decode(row).id


def reader(fields: tuple[str, ...]) -> Callable[[bytes], Record]:
    """A row of `LISTED` → what `recorder` makes of it."""
    decode, record = msgspec.json.Decoder(Row[asked_of(fields)]).decode, recorder(fields)  # type: ignore[misc]
    return lambda row: record(decode(row))


def recorder(fields: tuple[str, ...]) -> Callable[[Row[Any]], Record]:
    """Row of `answer_to(fields)` → Record with these fields in this order. A property the row does not show is left out: nobody saw it."""
    names = wanted(fields)
    at = {name: f"f{number}" for number, name in enumerate(names)}
    modified, merged_ids = at[MODIFIED], at[MERGED_IDS]
    fields_of, many = layout(fields), len(fields)

    def record(row: Row[Any]) -> Record:
        shown = row.properties
        stamp, merged = getattr(shown, modified) or row.updatedAt, getattr(shown, merged_ids)
        return Record(
            ref=row.id,
            fields=fields_of(*astuple(shown)[:many]),
            modified_us=instant_us(stamp) if stamp else None,
            liveness="archived" if row.archived else "live",
            absorbed=absorbed(merged) if merged else (),
        )

    return record


def instant_us(stamp: str) -> int:
    """An ISO instant in microseconds since 1970; the vendor leaves the fraction out on whole seconds."""
    return round(datetime.fromisoformat(stamp).timestamp() * 1_000_000)


def absorbed(merged: str) -> tuple[str, ...]:
    """The ids in `hs_merged_object_ids`."""
    return tuple(id for id in merged.split(";") if id)


def wanted(fields: Iterable[str]) -> list[str]:
    """The property names to ask for: the mapped ones and those a record is made from."""
    return list(dict.fromkeys((*fields, MODIFIED, MERGED_IDS)))


def text(value: Any) -> str:
    """A native value as HubSpot takes it: everything is text, and empty text clears."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_out(value: Any) -> bool:
    """Whether a native value of `hs_email_optout` says that the person opted out."""
    return text(value).lower() == "true"


_TYPES: Mapping[str, FieldType] = {
    "string": "text",
    "phone_number": "phone",
    "number": "number",
    "bool": "boolean",
    "date": "date",
    "datetime": "instant",
    "enumeration": "choice",
}
_FORMS: Mapping[str, FieldType] = {"phonenumber": "phone", "checkbox": "set", "booleancheckbox": "boolean"}
_NAMES: Mapping[str, FieldType] = {"email": "email", "hubspot_owner_id": "owner"}


def field_info(described: Mapping[str, Any]) -> FieldInfo:
    """A property as the vendor describes it. The opt-out is called writable: it is, through the consent channel."""
    name = described["name"]
    kind = _NAMES.get(name) or _FORMS.get(described.get("fieldType", "")) or _TYPES.get(described.get("type", ""), "text")
    if described.get("referencedObjectType") == "OWNER":
        kind = "owner"
    fixed = described.get("calculated") or (described.get("modificationMetadata") or {}).get("readOnlyValue")
    return FieldInfo(
        name=name,
        type=kind,
        label=described.get("label", ""),
        writable=name == OPT_OUT or not fixed,
        unique=name == "email" or bool(described.get("hasUniqueValue")),
        consent=name == OPT_OUT,
        options=tuple(option["value"] for option in described.get("options") or ()) if kind in ("choice", "set") else (),
    )
