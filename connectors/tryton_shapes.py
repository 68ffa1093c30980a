"""Tryton's shapes: a party's row to a record, a change to the values of a write. Pure; only `connectors.tryton` imports it.

A party's e-mail and phones are *contact mechanisms*, rows of their own: the party shows the first of each type. A record's version
therefore names the stamps of the party and of those first mechanisms, which is all that a later write needs to know, so that it can be
sent without looking first: "3@1795300711.08802 email:7@1795300711.30094".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from syncline.errors import ConsentRefused, Rejected
from syncline.ports import Change, FieldInfo, FieldType
from syncline.records import Record

MECHANISMS: Mapping[str, FieldType] = {"email": "email", "phone": "phone", "mobile": "phone", "fax": "phone", "website": "text"}
OPT_OUT = "email_opt_out"
EVEN_ARCHIVED = ["active", "in", [True, False]]
"""Part of a domain: without a word about `active`, Tryton leaves archived rows out."""

_OF_MECHANISM = ("type", "value", "_timestamp", "last_modified_at")
ALWAYS = ("active", "replaced_by", "last_modified_at", "_timestamp", *(f"contact_mechanisms.{name}" for name in _OF_MECHANISM))
"""What every answer must hold to make a record: its liveness, change time and version."""

TYPES: Mapping[str, FieldType] = {
    "char": "text",
    "text": "text",
    "integer": "number",
    "float": "number",
    "numeric": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "instant",
    "timestamp": "instant",
    "selection": "choice",
    "multiselection": "set",
}
"""Tryton's scalar types → ours. Relations are not offered, but for `lang` and `categories`."""

BORN_WITH = ("code",)
"""Fields that Tryton lets nobody change once the party exists."""

_DAY = ("year", "month", "day")
_MOMENT = (*_DAY, "hour", "minute", "second", "microsecond")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a write needs to know of a party: its stamp, and (id, stamp) of the first mechanism of each type."""

    stamp: str
    mechanisms: Mapping[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Names:
    """The database's own tables of names: language code → id, category path → id, and which category means "no e-mail, please"."""

    languages: Mapping[str, int]
    categories: Mapping[str, int]
    opt_out: int | None


def field_info(name: str, native: Mapping[str, Any]) -> FieldInfo | None:
    """One entry of Tryton's fields_get, None for a relation."""
    kind = MECHANISMS.get(name) or TYPES.get(native["type"])
    if kind is None:
        return None
    options = native.get("selection") if kind in ("choice", "set") else None
    return FieldInfo(
        name,
        kind,
        native.get("string", ""),
        writable=not native.get("readonly") and name not in BORN_WITH and name != "active",
        required=bool(native.get("required")) and name not in BORN_WITH,
        unique=name == "code",
        options=tuple(option for option, _label in options if option) if isinstance(options, list) else (),
    )


def asked(fields: tuple[str, ...]) -> list[str]:
    """What to read so that `fields` can be shown."""
    special = {"lang": ["lang.code"], "categories": ["categories.rec_name"], OPT_OUT: ["categories.rec_name"]}
    wanted = [read for name in fields if name not in MECHANISMS for read in special.get(name, [name])]
    return list(dict.fromkeys([*ALWAYS, *wanted]))


def record(row: Mapping[str, Any], fields: tuple[str, ...], kinds: Mapping[str, str], opt_out: int | None) -> Record:
    """A party as a record. A mechanism that was edited by itself makes its party as young as itself."""
    mechanisms = row["contact_mechanisms."]
    shown = {"categories": row.get("categories.") or [], "opt_out": opt_out, **_first(mechanisms)}
    stamps = [stamped["last_modified_at"] for stamped in (row, *mechanisms)]
    return Record(
        ref=str(row["id"]),
        fields={name: _show(row, name, kinds.get(name, ""), shown) for name in fields},
        modified_us=max(microseconds(stamp) for stamp in stamps),
        version=version(row),
        liveness="merged" if row["replaced_by"] else "live" if row["active"] else "archived",
        merged_into=str(row["replaced_by"]) if row["replaced_by"] else None,
    )


def version(row: Mapping[str, Any]) -> str:
    """The stamps a conditional write will be held against."""
    firsts = _first(row["contact_mechanisms."])
    return " ".join([f"{row['id']}@{row['_timestamp']}", *(f"{kind}:{one['id']}@{one['_timestamp']}" for kind, one in firsts.items())])


def standing(version: str) -> Standing:
    """The version, taken apart again."""
    party, *rest = version.split()
    parts = (item.replace("@", ":").split(":") for item in rest)
    return Standing(party.partition("@")[2], {kind: (int(number), stamp) for kind, number, stamp in parts})


def stamps(ref: str, known: Standing) -> dict[str, str]:
    """What Tryton wants as `_timestamp` in the context: it looks only at the records a write touches."""
    mechanisms = {f"party.contact_mechanism,{number}": stamp for number, stamp in known.mechanisms.values()}
    return {f"party.party,{ref}": known.stamp, **mechanisms}


def values(change: Change, known: Standing | None, kinds: Mapping[str, str], names: Names) -> dict[str, Any]:
    """The values of a create (`known` None) or write. Raises Rejected for a value Tryton has no name for."""
    out: dict[str, Any] = {}
    for name, value in change.fields.items():
        if name in MECHANISMS:
            out.setdefault("contact_mechanisms", []).extend(_mechanism(name, value, known))
        elif name == "categories":
            out["categories"] = _categories(value or (), names)
        elif name == "lang":
            out["lang"] = _language(value, names)
        elif name not in kinds:
            raise Rejected("Tryton: no such field, or one that only the consent channel may write", field=name)
        else:
            out[name] = _wire(value, kinds[name])
    if OPT_OUT in change.consent:
        out["categories"] = [*out.get("categories", []), *_opt_out(change.consent[OPT_OUT], names)]
    return {name: value for name, value in out.items() if value != []}


def microseconds(stamp: Mapping[str, int]) -> int:
    """A wire datetime (UTC, no zone) as microseconds since 1970."""
    return (_moment(stamp) - _EPOCH) // timedelta(microseconds=1)


def wire_instant(at_us: int) -> dict[str, Any]:
    """Microseconds since 1970 as a wire datetime."""
    return {"__class__": "datetime", **_parts(_EPOCH + timedelta(microseconds=at_us), _MOMENT)}


def _first(mechanisms: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The first mechanism of each type, in Tryton's own order: what the party itself shows."""
    return {one["type"]: one for one in reversed(mechanisms) if one["type"] in MECHANISMS}


def _show(row: Mapping[str, Any], name: str, kind: str, shown: Mapping[str, Any]) -> Any:
    if name in MECHANISMS:
        return shown[name]["value"] if name in shown else None
    if name == OPT_OUT:
        return any(one["id"] == shown["opt_out"] for one in shown["categories"])
    if name == "categories":
        return tuple(sorted(one["rec_name"] for one in shown["categories"] if one["id"] != shown["opt_out"]))
    if name == "lang":
        return (row.get("lang.") or {}).get("code")
    return _native(row.get(name), kind)


def _native(value: Any, kind: str) -> Any:
    """Plain values for wire ones. SQLite shows booleans as 0 and 1."""
    match value:
        case {"__class__": "datetime"}:
            return _moment(value).isoformat().replace("+00:00", "Z")
        case {"__class__": "date"}:
            return f"{value['year']:04}-{value['month']:02}-{value['day']:02}"
        case {"__class__": "Decimal", "decimal": number}:
            return number
    if kind == "boolean":
        return bool(value)
    return tuple(sorted(value)) if isinstance(value, list) else value


def _moment(stamp: Mapping[str, int]) -> datetime:
    return datetime(tzinfo=UTC, **{part: stamp[part] for part in _MOMENT})


def _wire(value: Any, kind: str) -> Any:
    """Wire values for plain ones, by Tryton's own type."""
    if value in (None, ""):
        return None
    if kind == "numeric":
        return {"__class__": "Decimal", "decimal": str(value)}
    if kind == "date":
        return {"__class__": "date", **_parts(datetime.fromisoformat(value), _DAY)}
    if kind in ("datetime", "timestamp"):
        return {"__class__": "datetime", **_parts(datetime.fromisoformat(value).astimezone(UTC), _MOMENT)}
    return list(value) if isinstance(value, tuple) else value


def _parts(moment: datetime, parts: tuple[str, ...]) -> dict[str, int]:
    return {part: getattr(moment, part) for part in parts}


def _mechanism(kind: str, value: Any, known: Standing | None) -> list[list[Any]]:
    """The commands that make the first mechanism of `kind` hold `value`. A party's own `email` cannot be set a second time."""
    number, _stamp = known.mechanisms.get(kind, (None, "")) if known else (None, "")
    if not value:
        return [["delete", [number]]] if number else []
    return [["write", [number], {"value": value}]] if number else [["create", [{"type": kind, "value": value}]]]


def _categories(wanted: tuple[str, ...], names: Names) -> list[list[Any]]:
    """Exactly `wanted`, of all categories but the opt-out, which no tag list may give or take."""
    others = {path: number for path, number in names.categories.items() if number != names.opt_out}
    missing = [path for path in wanted if path not in others]
    if missing:
        raise Rejected("Tryton: no such category, and it cannot be made", field="categories", detail=", ".join(missing))
    keep = [others[path] for path in wanted]
    return [["remove", [number for number in others.values() if number not in keep]], ["add", keep]]


def _language(value: Any, names: Names) -> int | None:
    if value and value not in names.languages:
        raise Rejected("Tryton: no such language", field="lang", detail=str(value))
    return names.languages[value] if value else None


def _opt_out(value: Any, names: Names) -> list[list[Any]]:
    """A blank is no statement: only a plain True or False moves anybody in or out."""
    if not isinstance(value, bool):
        raise Rejected("Tryton: an opt-out is true or false", field=OPT_OUT)
    if names.opt_out is not None:
        return [["add" if value else "remove", [names.opt_out]]]
    if value:
        raise ConsentRefused("Tryton: the category for opt-outs is not there, and it cannot be made", field=OPT_OUT)
    return []  # nobody is in a category that is not there
