"""A compiled mapping: what `mappings` builds from YAML and the rest of the kernel runs. Values and functions only, no YAML, no vendors."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any, Literal

from syncline.lens import Lens
from syncline.records import SIDES, Native, Side, Value, other

Direction = Literal["both", "to_crm", "to_marketing"]
OnBlank = Literal["ignore", "clear"]
RuleName = Literal["prefer", "newest", "fill_blank", "furthest", "most_restrictive", "union", "hold"]
Canon = Callable[[Value], Any]
"""Canonical value → the form two values are compared in (case folded, trimmed, E.164 …). Blank gives None, MISSING stays MISSING."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A conflict rule with its parameters. `side`: whom `prefer` prefers, and who wins a tie (`tie`). `skew_us`: clocks may differ by this.

    `order`: from first to furthest, or from least to most restrictive. `silent`: values that say nothing (most_restrictive only).
    `then`: what `fill_blank` does when neither side is blank.
    """

    name: RuleName
    side: Side | None = None
    tie: Side = "crm"
    skew_us: int = 0
    order: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    may_regress: Side | None = None
    then: Rule | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What it takes to give consent: the parts of proof that must be there, and the canonical value that is written (ask again)."""

    requires: tuple[str, ...]
    writes: str


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field. `lenses[side]`; `canon` for comparing; `direction` where values may travel; `create_only`: at creation alone.

    `on_blank[side]`: what a blank *coming from* that side does to the other. `required_in`: sides that refuse a record without it.
    `consent`: travels through the consent channel, first, and is judged by `grant`.
    """

    name: str
    type: str
    lenses: MappingOf[Side, Lens]
    canon: Canon
    rule: Rule
    direction: Direction = "both"
    create_only: bool = False
    on_blank: MappingOf[Side, OnBlank] = field(default_factory=lambda: {"crm": "ignore", "marketing": "ignore"})
    required_in: frozenset[Side] = frozenset()
    consent: bool = False
    grant: Grant | None = None

    def may_write(self, side: Side) -> bool:
        """Whether values may travel *to* `side`."""
        return self.direction == "both" or self.direction == f"to_{side}"


Put = Callable[[Value, Native], dict[str, Any]]
"""(canonical value, what the record shows or will show) → native changes."""

Predicate = Callable[[MappingOf[str, Value], Native], bool]
"""(canonical values, native fields) → does the record satisfy it? Built from data, never from code in the mapping."""


def always(_values: MappingOf[str, Value], _native: Native) -> bool:
    """The predicate of a mapping that names none."""
    return True


@dataclass(frozen=True, slots=True)
class SideSpec:
    """One side: which connector, which of its objects, its options, and the native names to ask for, in a fixed order."""

    connector: str
    object: str
    options: MappingOf[str, Any]
    native: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MatchKey:
    """One way to recognise a person: each side's native fields → the compared key, or None when the record has none."""

    field: str
    key: MappingOf[Side, Callable[[Native], str | None]]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` (absolute) or `share` (0..1 of linked contacts) in one run; None means unlimited."""

    count: int | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`scope[side]`: records of that side that may be created on the other. `create[side]`: further conditions on creating *in* that side,
    judged on canonical values. `delete_seen_in[side]`: what a delete seen there does to the other side's record."""

    scope: MappingOf[Side, Predicate]
    create: MappingOf[Side, Predicate]
    delete_seen_in: MappingOf[Side, Literal["archive", "unlink", "keep"]]
    on_leave: Literal["keep", "archive", "unlink"] = "keep"
    erasure: Literal["both", "log"] = "both"
    limits: MappingOf[str, Limit] = field(default_factory=dict)
    empty_side: Literal["stop", "allow"] = "stop"


@dataclass(frozen=True, slots=True)
class Route:
    """How one field travels to a new record: `get` from the source's native fields, `put` into the target's, None where it may not go."""

    field: Field
    get: Callable[[Native], Value]
    put: Put | None


Way = tuple[str, str, str, int, Route]
"""A field's name, and its native names here and across if its texts travel as they are, up to so many characters; else its route tells.

A plain tuple: a first load goes thirty of these ways for everybody.
"""


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """Everything a run needs to know. `version`: hash of the mapping's canonical form; a new version means no base to compare with.

    `routes[source]`: every field's way to a record that is created across; `required[target]`: names of the fields it cannot be without.
    Both are laid out once, for a first load of very many.
    """

    name: str
    version: str
    sides: MappingOf[Side, SideSpec]
    fields: tuple[Field, ...]
    match: tuple[MatchKey, ...]
    policy: Policy
    source: str = ""
    routes: MappingOf[Side, tuple[Way, ...]] = field(init=False, repr=False, compare=False)
    required: MappingOf[Side, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    _named: MappingOf[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "routes", {source: tuple(_way(f, source) for f in self.fields) for source in SIDES})
        required = {side: tuple(f.name for f in self.fields if side in f.required_in and f.may_write(side)) for side in SIDES}
        object.__setattr__(self, "required", required)
        object.__setattr__(self, "_named", {f.name: f for f in self.fields})

    def field(self, name: str) -> Field:
        """The field of that name; KeyError if there is none."""
        return self._named[name]


def _way(field_: Field, source: Side) -> Way:
    target = other(source)
    here, across = field_.lenses[source], field_.lenses[target]
    most = 0 if field_.consent or not field_.may_write(target) else min(here.as_is, across.as_is)
    as_is = (here.names[0], across.names[0], most) if most else ("", "", 0)
    return (field_.name, *as_is, Route(field_, here.get, across.put if field_.may_write(target) else None))
