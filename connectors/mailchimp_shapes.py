"""Mailchimp's shapes: a member to a record, a change to a body, a refusal to an error. Pure; only `connectors.mailchimp*` imports it.

Names are Mailchimp's own, flat: `email_address`, `status`, `tags`, `merge_fields.<TAG>`. An archived member shows no consent: its status
says only "archived", which is its liveness, so `status` is left out. Past 50 tags Mailchimp shows only some: then `tags` is left out too,
because half a set written back would drop the other half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec.structs import astuple

from connectors.typed import asked, layout, picker
from syncline.errors import ConsentRefused, Rejected
from syncline.ports import Change, FieldInfo, FieldType
from syncline.records import Liveness, Proof, Record

AnyMember = TypeVar("AnyMember")
Told = str | msgspec.UnsetType | None
MERGE = "merge_fields."
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
NO_CONSENT = "transactional"
"""The status of a new member nobody gave a consent value for: reachable by receipts, never by campaigns."""

ALWAYS = ("contact_id", "email_address", "status", "last_changed", "source", "timestamp_opt", "tags_count")
"""What every answer must hold to make a record: its id, liveness, change time and proof."""

FIXED = (
    FieldInfo("email_address", "email", "Email address", required=True, unique=True),
    FieldInfo("status", "choice", "Status", consent=True, options=STATUSES),
    FieldInfo("tags", "set", "Tags"),
    FieldInfo("language", "text", "Language"),
    FieldInfo("vip", "boolean", "VIP"),
    FieldInfo("source", "text", "Source", writable=False),
    FieldInfo("member_rating", "number", "Rating", writable=False),
    FieldInfo("timestamp_opt", "instant", "Opt-in time", writable=False),
)
TYPES: Mapping[str, FieldType] = {
    "text": "text",
    "number": "number",
    "phone": "phone",
    "date": "date",
    "birthday": "text",  # MM/DD has no year, so it is no date
    "dropdown": "choice",
    "radio": "choice",
    "zip": "text",
    "url": "text",
    "imageurl": "text",
}
"""Merge field type → our type. An `address` is several values in one and is not offered."""

COMPLIANCE = ("compliance state", "forgotten email", "permanently deleted")
"""What Mailchimp says when only the person can bring the address back."""


def address_hash(address: str) -> str:
    """Mailchimp's key of an address: MD5 of it in lower case. A name, not a protection."""
    return hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest()


def shown(fields: Iterable[str], prefix: str = "") -> str:
    """The `fields` parameter that limits an answer to what a record of these fields needs."""
    names = dict.fromkeys((*ALWAYS, *fields))
    return ",".join(prefix + ("tags.name" if name == "tags" else name) for name in names)


@lru_cache(maxsize=256)
def instant_us(text: Told) -> int | None:
    """An ISO instant to microseconds since 1970; None when there is none. Cached: stamps have whole seconds, and a batch shares a few."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000) if text else None


def iso(at_us: int) -> str:
    """Whole seconds, rounded down, as Mailchimp's filters take them."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).isoformat()


class Tag(msgspec.Struct, gc=False):
    name: str


class Member(msgspec.Struct, gc=False):
    """One member of an answer, the part that is always asked for. `asked_of` adds the asked fields."""

    contact_id: str
    status: str | msgspec.UnsetType = msgspec.UNSET
    last_changed: Told = msgspec.UNSET
    source: Told = msgspec.UNSET
    timestamp_opt: Told = msgspec.UNSET
    tags_count: int = 0
    tags: list[Tag] | msgspec.UnsetType = []


class Named(msgspec.Struct, gc=False):
    """All that must be known of a member whose bytes may be known already."""

    contact_id: str


class Members(msgspec.Struct, Generic[AnyMember]):
    """A page of them. `total_items`: how many there are in all."""

    members: list[AnyMember]
    total_items: int


LISTED = msgspec.json.Decoder(Members[msgspec.Raw])
"""A page of a listing, its members still the vendor's bytes."""

_named = msgspec.json.Decoder(Named)


def ref_of(member: bytes) -> str:
    """The contact_id of a member of `LISTED`."""
    return _named.decode(member).contact_id


@dataclass(frozen=True, slots=True)
class Shape:
    """How members with certain asked fields are decoded, and made into records. Worked out once a mapping, not once a member."""

    member: type[Member]
    page: msgspec.json.Decoder[Any]
    record: Callable[[Any], Record]
    read: Callable[[bytes], Record]


@lru_cache(maxsize=16)
def shape(fields: tuple[str, ...]) -> Shape:
    """The shape of members with these fields."""
    merges = [name for name in fields if name.startswith(MERGE)]
    plain = [name for name in fields if name not in merges and name not in ("tags", "status")]
    own = {name if name in Member.__struct_fields__ else f"own_{name}": name for name in plain}
    merged = asked([name.removeprefix(MERGE) for name in merges])
    added: list[Any] = [(attribute, Any, msgspec.UNSET) for attribute, name in own.items() if attribute != name]
    added.append(("merge_fields", merged | list[Any] | None, None))
    renamed = {attribute: name for attribute, name in own.items() if attribute != name}
    member = msgspec.defstruct("AskedMember", added, bases=(Member,), rename=renamed, gc=False)
    record, decode = _recorder(fields, merges, own), msgspec.json.Decoder(member).decode
    page = msgspec.json.Decoder(Members[member])  # type: ignore[valid-type]
    return Shape(member, page, record, lambda raw: record(decode(raw)))


def to_record(member: Mapping[str, Any], fields: Iterable[str]) -> Record:
    """The record a member's body shows, with `fields` in the order asked."""
    made = shape(tuple(fields))
    return made.record(msgspec.convert(member, made.member))


def _recorder(fields: tuple[str, ...], merges: Sequence[str], own: Mapping[str, str]) -> Callable[[Any], Record]:
    unset, shown = msgspec.UNSET, layout(fields)
    without = (unset,) * len(merges)
    found = (*own.values(), *merges, "status", "tags")
    in_order = picker([found.index(name) for name in fields])

    def record(member: Any) -> Record:
        status, opted_us, changed_us = member.status, instant_us(member.timestamp_opt), instant_us(member.last_changed)
        proof = Proof(member.source, opted_us) if member.source and opted_us else None
        liveness: Liveness = "archived" if status == "archived" else "live"
        tags = sorted([tag.name for tag in member.tags]) if len(member.tags) >= member.tags_count else unset
        merged = astuple(member.merge_fields) if member.merge_fields else without
        plain = [getattr(member, attribute) for attribute in own]
        values = in_order((*plain, *merged, unset if liveness == "archived" else status, tags))
        return Record(member.contact_id, shown(*values), changed_us, liveness=liveness, proof=proof)

    return record


def to_body(change: Change, wanted: tuple[str, ...]) -> dict[str, Any]:
    """The changed fields as a member's body, never with a status. A blank clears: Mailchimp takes empty text, not null."""
    fields = change.fields
    others, merges, in_order = _parted(tuple(fields), wanted)
    body = {name: fields[name] for name in others}
    if "tags" in body:
        body["tags"] = list(body["tags"] or ())
    if merges:
        values = in_order((*fields.values(), msgspec.UNSET))
        body["merge_fields"] = merges(*(["" if value is None else value for value in values] if None in values else values))
    return body


@lru_cache(maxsize=512)
def _parted(names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[tuple[str, ...], type[msgspec.Struct] | None, Callable[[Any], Any]]:
    """Of a change of these fields: those that are no merge fields; a struct of all merge fields, that a dict need not be made for every
    member; and what picks its values from those of the change, followed by what stands for one that does not change.
    """
    others = tuple(name for name in names if not name.startswith(MERGE) and name != "status")
    tags = tuple(name for name in dict.fromkeys((*wanted, *names)) if name.startswith(MERGE))
    picked = [names.index(name) if name in names else -1 for name in tags]
    changes = any(name.startswith(MERGE) for name in names)
    return others, _merges(tags) if changes else None, picker(picked)


@lru_cache(maxsize=16)
def _merges(names: tuple[str, ...]) -> type[msgspec.Struct]:
    return asked([name.removeprefix(MERGE) for name in names])


def to_field(merge: Mapping[str, Any]) -> FieldInfo:
    """A merge field's description as a field's."""
    options = merge.get("options") or {}
    return FieldInfo(
        name=MERGE + merge["tag"],
        type=TYPES[merge["type"]],
        label=merge.get("name", ""),
        required=bool(merge.get("required")),
        max_length=options.get("size"),
        options=tuple(options.get("choices") or ()),
    )


def refusal(text: str, field: str | None) -> Rejected:
    """Why one member was refused. `text` is Mailchimp's own and may hold the address, so it is kept out of the message."""
    if any(phrase in text.lower() for phrase in COMPLIANCE):
        return ConsentRefused("Mailchimp will not take this address back unless the person asks", field="status", detail=text)
    native = "email_address" if "already a list member" in text else _native_name(field)
    return Rejected(f"Mailchimp refused {native or 'this member'}", field=native, detail=text)


def _native_name(field: str | None) -> str | None:
    """`FNAME`, `merge_fields.FNAME` and `email_address` all name a field; "" and "members.item:3" name none."""
    if not field or field in {info.name for info in FIXED} or field.startswith(MERGE):
        return field or None
    return MERGE + field if field.isupper() else None
