"""Whether the values of a field fit the vendor's type and options. Used by `check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from mappings.declared import Declared
from mappings.lines import Loc
from mappings.near import meant
from mappings.transforms.native import key
from syncline.ports import FieldInfo
from syncline.records import Side

Found = Iterator[tuple[Loc, Literal["error", "warning"], str]]

TEXTUAL = {"text", "email", "phone", "choice", "country", "owner"}
FITS = {
    # our type: the vendor's types that can hold it
    "text": TEXTUAL,
    "email": TEXTUAL,
    "phone": TEXTUAL,
    "country": TEXTUAL,
    "owner": TEXTUAL,
    "choice": TEXTUAL,
    "number": {"number", "text"},
    "boolean": {"boolean", "text", "choice"},
    "date": {"date", "text"},
    "instant": {"instant", "text"},
    "set": {"set"},
}
ADVICE = {
    ("date", "instant"): "name the zone in which the day is meant: transform: {%s: {instant: {zone: …}}}",
    ("instant", "date"): "a date has no time of day: write type: date and name the zone of the side that is an instant",
    ("set", "text"): "say what separates its members: transform: {%s: {split: …}}",
}


def value_problems(field: Declared, side: Side, info: FieldInfo, loc: Loc) -> Found:
    """Type first; then each native value of the table against the vendor's options."""
    if not _fits(field, side, info):
        advice = ADVICE.get((field.type, info.type), "change the type, or map another field")
        yield loc, "error", f"{field.name} has type {field.type}, {side} {info.name} type {info.type}: {advice.replace('%s', side)}"
    if field.table:
        yield from _table(field, side, info, loc)
    elif info.type == "choice" and info.options and field.type == "text" and field.writes(side):
        yield (
            loc,
            "warning",
            f"{side} {info.name} takes only {_few(info.options)}: other text would be held; write transform: {{choices: …}}",
        )


def _fits(field: Declared, side: Side, info: FieldInfo) -> bool:
    own = field.side[side]
    if field.type == "date" and own.instant:
        return info.type in ("instant", "text")
    if field.type == "set" and own.split:
        return info.type in ("set", "text")
    # A value table says itself what each native value means, whatever its type.
    return info.type in FITS[field.type] or (field.table is not None and field.type == "choice" and info.type in ("boolean", "number"))


def _table(field: Declared, side: Side, info: FieldInfo, loc: Loc) -> Found:
    table = field.table
    if table is None:
        return
    options = ("true", "false") if info.type == "boolean" else info.options
    where: Loc = ("fields", field.name, "transform")
    for native, meaning in table.of(side):
        if options and key(native) not in options and key(native):
            yield (
                where,
                "error",
                f"{field.name}: {side} {info.name} has no option {key(native)} (for {meaning}){meant(key(native), options)}",
            )
    yield from _unsayable(field, side, [meaning for _, meaning in table.of(side)], where)
    known = {key(native) for native, _ in table.of(side)}
    unknown = [option for option in info.options if option not in known]
    if unknown and not field.create_only:
        yield (
            where,
            "warning",
            f"{field.name}: {side} {info.name} can be {_few(unknown)}, which the table does not know: such a value is held",
        )


def _unsayable(field: Declared, side: Side, sayable: list[str], where: Loc) -> Found:
    if field.consent or not field.writes(side) or field.table is None:
        return
    for meaning in field.table.meanings():
        if meaning not in sayable:
            yield where, "warning", f"{field.name}: {side} has no word for {meaning}: such a value is held, not written"


def _few(options: Any) -> str:
    return ", ".join(options[:6]) + (", …" if len(options) > 6 else "")
