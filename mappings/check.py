"""Holds a mapping against what the two vendors say of themselves: what they would refuse, shorten or misread.

Used by `flows` and `console`. Pure: it is given schemas and capabilities, it asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mappings.check_values import value_problems
from mappings.declared import Declared
from mappings.lines import Loc
from mappings.load import LoadedMapping
from mappings.near import meant
from mappings.predicates import nodes
from syncline.ports import Capabilities, FieldInfo, Schema
from syncline.records import SIDES, Side, other

Severity = Literal["error", "warning"]
Found = Iterator[tuple[Loc, Severity, str]]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing the vendors will not stand for (error), or that somebody should know (warning)."""

    file: str
    line: int
    severity: Severity
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.text}"


def lint(loaded: LoadedMapping, schemas: Mapping[Side, Schema], capabilities: Mapping[Side, Capabilities]) -> list[Problem]:
    """Every problem, in the order of the file's lines."""
    found = [*_one_account(loaded), *_natives_of_scope(loaded, schemas), *_unfed(loaded, schemas), *_evidence(loaded, capabilities)]
    for field in loaded.fields:
        for side in SIDES:
            found += _field(field, side, schemas)
    problems = [Problem(loaded.file, loaded.line(*loc), severity, text) for loc, severity, text in found]
    return sorted(problems, key=lambda problem: (problem.line, problem.severity, problem.text))


def _one_account(loaded: LoadedMapping) -> Found:
    if loaded.model.sides.crm == loaded.model.sides.marketing:
        yield ("sides", "marketing"), "error", "both sides are the same account: a system cannot be kept in step with itself"


def _natives_of_scope(loaded: LoadedMapping, schemas: Mapping[Side, Schema]) -> Found:
    for side in SIDES:
        for loc, node in nodes(getattr(loaded.model.scope, side), ("scope", side)):
            if node.field and node.field not in loaded.model.fields and node.field not in schemas[side].fields:
                names = {*schemas[side].fields, *loaded.model.fields}
                yield (*loc, "field"), "error", f"{side} has no field {node.field}, nor has this mapping{meant(node.field, names)}"


def _unfed(loaded: LoadedMapping, schemas: Mapping[Side, Schema]) -> Found:
    """Only where records can be created at all does a required field need a source."""
    for side in SIDES:
        fed = {field.names[side] for field in loaded.fields if field.writes(side)}
        for info in schemas[side].fields.values():
            if info.required and info.writable and info.name not in fed and any(field.writes(side) for field in loaded.fields):
                yield ("fields",), "error", f"{side} requires {info.name}, and nothing here writes it: map it, or give it a const"


def _evidence(loaded: LoadedMapping, capabilities: Mapping[Side, Capabilities]) -> Found:
    timeless = [side for side in SIDES if capabilities[side].evidence == "none"]
    for field in loaded.fields:
        rules = [field.rule, field.rule.then]
        if timeless and field.direction == "both" and any(rule and rule.name == "newest" for rule in rules):
            loc = ("fields", field.name, "conflict")
            yield (
                loc,
                "error",
                f"{field.name}: {timeless[0]} does not say when a value changed, so newest cannot be told: choose another rule",
            )


def _field(field: Declared, side: Side, schemas: Mapping[Side, Schema]) -> Found:
    name = field.names[side]
    if name is None:
        return
    loc: Loc = ("fields", field.name, side)
    info = schemas[side].fields.get(name)
    if info is None:
        yield loc, "error", f"{side} has no field {name}{meant(name, schemas[side].fields)}"
        return
    if field.writes(side) and not info.writable:
        yield loc, "error", f"{side} {name} is read-only: write direction: to_{other(side)}"
    yield from _consent(field, side, info, loc)
    yield from value_problems(field, side, info, loc)
    if field.writes(side):
        yield from _space(field, side, info, _source(field, side, schemas), loc)


def _source(field: Declared, side: Side, schemas: Mapping[Side, Schema]) -> FieldInfo | None:
    far = field.names[other(side)]
    return schemas[other(side)].fields.get(far) if far else None


def _consent(field: Declared, side: Side, info: FieldInfo, loc: Loc) -> Found:
    if info.consent and not field.consent and field.writes(side):
        yield loc, "error", f"{side} {info.name} is consent: write transform: {{consent: …}} and conflict: {{rule: most_restrictive, …}}"
    if field.consent and not info.consent and field.writes(side):
        yield loc, "error", f"{side} {info.name} is not consent to its vendor: map the vendor's own consent field, or keep it out of here"


def _space(field: Declared, side: Side, info: FieldInfo, source: FieldInfo | None, loc: Loc) -> Found:
    if field.type != "text" or info.max_length is None:
        return
    own: Any = field.side[side].text
    longest = own.max if own and own.max else (source.max_length if source else None)
    if own and own.max and own.max > info.max_length:
        yield loc, "warning", f"{side} {info.name} holds {info.max_length} characters, fewer than text max {own.max}: lower it"
    elif longest is None or longest > info.max_length:
        fix = f"transform: {{{side}: {{text: {{max: {info.max_length}}}}}}}"
        yield loc, "warning", f"{side} {info.name} holds {info.max_length} characters: longer values would be refused; write {fix}"
