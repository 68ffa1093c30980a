"""Whether a mapping agrees with itself: what takes more than one word of it to see, and no vendor. Used by `load`.

Every check yields (place, text); the text says what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mappings.consistency_fields import field_problems
from mappings.declared import Declared
from mappings.lines import Loc
from mappings.near import meant
from mappings.predicates import nodes, said
from mappings.schema import MappingModel, PredicateModel
from mappings.transforms.native import key
from syncline.records import SIDES, Side, other

Found = Iterator[tuple[Loc, str]]
UNMATCHABLE = ("set", "boolean", "choice", "number")


def problems_of(mapping: MappingModel, fields: tuple[Declared, ...], bad: frozenset[str] = frozenset()) -> list[tuple[Loc, str]]:
    """`bad`: names of fields that were left out because they have faults of their own; they count as known."""
    found: list[tuple[Loc, str]] = []
    known = {field.name: field for field in fields}
    for check in (_identity, _scopes, _creates):
        found += check(mapping, known, bad)
    for field in fields:
        found += field_problems(field, mapping.fields[field.name])
    for side in SIDES:
        found += _shared_targets(fields, side)
    return found


def _identity(mapping: MappingModel, known: dict[str, Declared], bad: frozenset[str]) -> Found:
    for index, name in enumerate(mapping.identity.match):
        loc = ("identity", "match", index)
        if name in bad:
            continue
        if name not in known:
            yield loc, f"identity.match: there is no field {name}{meant(name, known)}"
        elif None in known[name].names.values():
            yield loc, f"identity.match: {name} is not on both sides: match by a field that is"
        elif known[name].type in UNMATCHABLE:
            yield loc, f"identity.match: a {known[name].type} recognises nobody: match by text, email or phone"


def _scopes(mapping: MappingModel, known: dict[str, Declared], bad: frozenset[str]) -> Found:
    for side in SIDES:
        for loc, node in nodes(getattr(mapping.scope, side), ("scope", side)):
            yield from _shape(loc, node)
            yield from _values(loc, node, known)
            # A near miss of a canonical name would silently be read as a native name of the side.
            near = meant(node.field or "", set(known) - {node.field})
            if (
                node.field
                and node.field not in known | dict.fromkeys(bad)
                and "did you mean" in near
                and not _is_native(node.field, known, side)
            ):
                yield (*loc, "field"), f"{'.'.join(map(str, loc))}: there is no field {node.field}{near}"


def _is_native(name: str, known: dict[str, Declared], side: Side) -> bool:
    """A name some field reads on that side, or one that is written like vendors' names, not like ours."""
    return any(field.names[side] == name for field in known.values()) or "_" in name or "." in name


def _creates(mapping: MappingModel, known: dict[str, Declared], bad: frozenset[str]) -> Found:
    for side in SIDES:
        for loc, node in nodes(getattr(mapping.policy.create, side), ("policy", "create", side)):
            yield from _shape(loc, node)
            yield from _values(loc, node, known)
            if node.field and node.field not in known and node.field not in bad:
                yield (*loc, "field"), f"policy.create.{side}: there is no field {node.field}{meant(node.field, known)}"


def _shape(loc: Loc, node: PredicateModel) -> Found:
    kinds = [word for word in ("all", "any", "not_", "field") if getattr(node, word) is not None]
    where = ".".join(map(str, loc))
    if len(kinds) != 1:
        yield loc, f"{where}: write exactly one of all, any, not, field"
    elif kinds == ["field"] and not said(node):
        yield loc, f"{where}: say what {node.field} must be: is, is_not, in, not_in, gt or lt"
    elif kinds != ["field"] and said(node):
        yield loc, f"{where}: is, is_not, in, not_in, gt and lt need a field"


def _values(loc: Loc, node: PredicateModel, known: dict[str, Declared]) -> Found:
    field = known.get(node.field or "")
    if not field or not field.table:
        return
    meanings = field.table.meanings()
    for word in said(node):
        value = getattr(node, word)
        for one in value if isinstance(value, list) else [value]:
            if key(one) not in (*meanings, "present", "blank", ""):
                yield (*loc, word.rstrip("_")), f"{field.name} is never {one}{meant(key(one), meanings)}"


def _shared_targets(fields: tuple[Declared, ...], side: Side) -> Found:
    writers: dict[str, Declared] = {}
    for field in fields:
        name = field.names[side]
        if name is None or not field.writes(side):
            continue
        first = writers.setdefault(name, field)
        if first is not field and not _parts_of_one_name(first, field, side):
            yield (
                ("fields", field.name, side),
                f"{field.name} and {first.name} both write {side} {name}: give one direction: to_{other(side)}",
            )


def _parts_of_one_name(one: Declared, two: Declared, side: Side) -> bool:
    parts: list[Any] = [field.side[side].name for field in (one, two)]
    return all(parts) and parts[0].part != parts[1].part
