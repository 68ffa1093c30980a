"""From a field's declaration to its two lenses: which steps, in which order. Used by `compile`.

Nearest to the vendor comes what reads the vendor's form (text to number, text to set), then what gives it meaning (scale, value table).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mappings.canon import canon_of
from mappings.declared import Declared
from mappings.transforms.boolean import boolean
from mappings.transforms.choices import as_shown, choices
from mappings.transforms.consent import consent
from mappings.transforms.country import country
from mappings.transforms.dates import date
from mappings.transforms.email import email
from mappings.transforms.focus import focus, focus_beside
from mappings.transforms.instant import day_in, instant
from mappings.transforms.names import name_part
from mappings.transforms.number import number, scale
from mappings.transforms.owner import owner
from mappings.transforms.phone import phone
from mappings.transforms.sets import beside, each, split
from mappings.transforms.text import text
from syncline.lens import IDENTITY, Lens, Step, compose
from syncline.mapping import Canon
from syncline.ports import FieldInfo
from syncline.records import Native, Side

Owners = Mapping[Side, Mapping[str, str]]


def canon_for(field: Declared) -> Canon:
    """Outer spaces count only where some side says `trim: false`."""
    return canon_of(field.type, trim=all(t.text is None or t.text.trim for t in field.side.values()))


def lens_of(field: Declared, side: Side, owners: Owners | None = None, info: FieldInfo | None = None) -> Lens:
    """`info`: the native field as the vendor describes it, if known; it tells `put` which form a value takes where none is shown."""
    name = field.names[side]
    canon = canon_for(field)
    if name is None:
        return constant(field.const.get(side))
    own = field.side[side]
    if field.consent and field.table:
        get, put = consent(field.table.of(side), field.rule.silent)
        words = {meaning for _, meaning in field.table.of(side)}
        return focus_beside(name, get, put, canon, info, lossy=not words >= set(field.table.meanings()))
    if own.name:
        return focus_beside(name, *name_part(own.name.part), canon, info)
    if field.type == "set":
        return _set_lens(name, field, side, canon, info)
    return focus(name, compose(READERS[field.type](field, side, owners), _scaling(field, side)), canon, info)


def constant(value: Any) -> Lens:
    """Stands where a side has no such field: always says the same, hears nothing."""

    def get(_native: Native) -> Any:
        return value

    return Lens((), get, lambda _value, _native: {}, two_way=False)


def _set_lens(name: str, field: Declared, side: Side, canon: Canon, info: FieldInfo | None) -> Lens:
    separator = field.side[side].split
    member = each(choices(field.table.of(side))) if field.table else IDENTITY
    whole = compose(split(separator), member)
    return focus_beside(
        name,
        lambda shown: _tidied(whole.get(shown)),
        lambda value, shown: beside(member.put(value), shown, separator),
        canon,
        info,
        two_way=whole.two_way,
    )


def _tidied(members: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return tuple(sorted(set(members))) if members else None


def _scaling(field: Declared, side: Side) -> Step:
    own = field.side[side].scale
    return scale(own.factor) if own else IDENTITY


def _text(field: Declared, side: Side, _owners: Owners | None) -> Step:
    own = field.side[side].text
    return text(trim=own.trim, max=own.max) if own else text()


def _phone(field: Declared, side: Side, _owners: Owners | None) -> Step:
    own = field.side[side].phone
    return phone(own.region if own else None)


def _date(field: Declared, side: Side, _owners: Owners | None) -> Step:
    own = field.side[side].instant
    return day_in(own.zone) if own and own.zone else date()


def _instant(field: Declared, side: Side, _owners: Owners | None) -> Step:
    own = field.side[side].instant
    return instant(own.zone if own else None)


READERS: dict[str, Callable[[Declared, Side, Owners | None], Step]] = {
    "text": _text,
    "email": lambda *_: email(),
    "phone": _phone,
    "number": lambda *_: number(),
    "boolean": lambda *_: boolean(),
    "date": _date,
    "instant": _instant,
    "choice": lambda field, side, _: choices(field.table.of(side)) if field.table else as_shown(),
    "country": lambda field, side, _: country(field.country.get(side, "alpha2")),  # type: ignore[arg-type]
    "owner": lambda _field, side, owners: owner((owners or {}).get(side)),
}
