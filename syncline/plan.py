"""What must be written, and what waits: the values of a plan. `planner` makes them, the store keeps them, flows carry them out.

`Contact` and `Traits` go in, `ContactPlan` comes out. A plan is inert: it is weighed by the guard and shown to people before anything is
written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncline.conflict import Grade
from syncline.log import Entry
from syncline.ports import Kind
from syncline.records import Liveness, Native, Proof, Side, Value, value


@value
class SideState:
    """One side's record of a contact. `seen`: the newest observation. `shadow`: what it last showed us, confirmed, per native field.

    A native name absent from `shadow` has no base; `shadow` None means nothing was ever agreed with this record.
    """

    ref: str
    seen: Native
    shadow: Native | None = None
    liveness: Liveness = "live"
    modified_us: int | None = None
    version: str | None = None
    proof: Proof | None = None
    field_times_us: Mapping[str, int] | None = None


@value
class Contact:
    """One contact as the planner sees it. `contact_id` is given by the store (a fresh one for a new contact, with `state` "new").

    `view`: agreed canonical values. `agreed_us`: per field, when its value was last agreed from a side. `losers`: records of
    contacts that were merged into this one: on the far side, and on the same side those whose last words were not heard yet.
    `held`: names of fields ("" for the whole contact) that wait since an earlier run.
    """

    contact_id: int
    sides: Mapping[Side, SideState]
    state: str = "new"
    view: Mapping[str, Value] = field(default_factory=dict)
    agreed_us: Mapping[str, int] = field(default_factory=dict)
    losers: Mapping[Side, tuple[SideState, ...]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Traits:
    """What the planner must know of one side's connector. `offset_us`: its clock minus ours."""

    evidence: Grade = "record"
    anchors: tuple[str, ...] = ()
    can_restore: bool = False
    offset_us: int = 0


ALL_SHOWN = ("*",)


@value
class Write:
    """One intended write. `fields`/`consent`: native values that must change. `expect`: what they show now, for the re-check.

    `confirms`: native names of the *other* side whose observation becomes its shadow once this write is confirmed; `ALL_SHOWN` when that
    is every name it showed. `entries`: indices into the plan's entries that this write carries out. `shown`: what the other side showed of
    those names when this was decided: that is what was carried across, whatever it shows by the time of the answer. `untold`: of sets
    that are written on both sides, each side's base from its own answer until the other's: what stands across as long as that may fail.
    """

    side: Side
    kind: Kind
    ref: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    consent: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None
    anchor: Mapping[str, Any] = field(default_factory=dict)
    confirms: tuple[str, ...] = ()
    entries: tuple[int, ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict)
    untold: Mapping[Side, Native] = field(default_factory=dict)


@value
class Hold:
    """One field (or, with `field` "", the whole contact) that waits for a person, and why. `code`: an error's name (`UnknownChoice`)."""

    code: str
    reason: str
    field: str = ""
    side: Side | None = None


@value
class ContactPlan:
    """Everything that one run will do to one contact, inert until it is committed.

    `view`: the whole agreed view after commit. `agreed_us`: changed provenance. `shadows`: per side the whole new shadow at commit (fields
    that wait for a write or a hold keep their old base). `totals`: what the guard weighs: creates, links, updates, archives, blanks,
    unsubscribes, overwrites, holds. A `new` plan without entries leaves its records unlinked and at rest.
    """

    contact_id: int
    new: bool
    state: str
    refs: Mapping[Side, str]
    view: Mapping[str, Value]
    agreed_us: Mapping[str, int]
    shadows: Mapping[Side, Native]
    entries: tuple[Entry, ...] = ()
    writes: tuple[Write, ...] = ()
    holds: tuple[Hold, ...] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
