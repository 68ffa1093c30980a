"""Mailchimp's shapes: a member to a record, a change to a body, a refusal to an error. Pure; only `connectors.mailchimp*` imports it.

Names are Mailchimp's own, flat: `email_address`, `status`, `tags`, `merge_fields.<TAG>`. An archived member shows no consent: its status
says only "archived", which is its liveness, so `status` is left out. Past 50 tags Mailchimp shows only some: then `tags` is left out too,
because half a set written back would drop the other half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from syncline.errors import ConsentRefused, Rejected
from syncline.ports import Change, FieldInfo, FieldType
from syncline.records import Proof, Record

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


def instant_us(text: str | None) -> int | None:
    """An ISO instant to microseconds since 1970; None when there is none."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000) if text else None


def iso(at_us: int) -> str:
    """Whole seconds, rounded down, as Mailchimp's filters take them."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).isoformat()


def to_record(member: Mapping[str, Any], fields: Iterable[str]) -> Record:
    """The record a member's body shows, with `fields` in the order asked."""
    opted_us, source = instant_us(member.get("timestamp_opt")), member.get("source")
    return Record(
        ref=member["contact_id"],
        fields=_natives(member, fields),
        modified_us=instant_us(member.get("last_changed")),
        liveness="archived" if member.get("status") == "archived" else "live",
        proof=Proof(source, opted_us) if source and opted_us else None,
    )


def _natives(member: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    merges, shown = member.get("merge_fields") or {}, {}
    for name, tag in _tags(tuple(fields)):
        if tag:
            if tag in merges:
                shown[name] = merges[tag]
        elif name == "tags":
            names = sorted([tag["name"] for tag in member.get("tags") or ()])
            if len(names) >= member.get("tags_count", 0):
                shown[name] = names
        elif name in member and not (name == "status" and member[name] == "archived"):
            shown[name] = member[name]
    return shown


@lru_cache(maxsize=16)
def _tags(fields: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Each field with its merge tag, "" if it is none: worked out once a mapping, not once a member."""
    return tuple((name, name.removeprefix(MERGE) if name.startswith(MERGE) else "") for name in fields)


def to_body(change: Change) -> dict[str, Any]:
    """The changed fields as a member's body, never with a status. A blank clears: Mailchimp takes empty text, not null."""
    plain = {name: value for name, value in change.fields.items() if not name.startswith(MERGE) and name != "status"}
    merges = {name.removeprefix(MERGE): "" if value is None else value for name, value in change.fields.items() if name.startswith(MERGE)}
    if "tags" in plain:
        plain["tags"] = list(plain["tags"] or ())
    return {**plain, **({"merge_fields": merges} if merges else {})}


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
