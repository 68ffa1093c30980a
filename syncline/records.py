"""The words everything else is said in: side, ref, record, value, blank. Anyone may import it.

A *native* value is what a vendor's API shows (`"true"`, `"a;b"`, `1`). A *canonical* value is what both sides mean: text, number, boolean,
an ISO date `YYYY-MM-DD`, an ISO instant in UTC ending in `Z`, a choice's name, or a sorted tuple of text for a set. Absent, null and empty
are three things: `MISSING` was not shown, `None` is blank, `""` is a native way to be blank. Instants inside the engine are integers,
microseconds since 1970 in UTC (`*_us`), so that no zone can slip in.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, dataclass_transform

Side = Literal["crm", "marketing"]
CRM: Side = "crm"
MARKETING: Side = "marketing"
SIDES: tuple[Side, Side] = (CRM, MARKETING)


def other(side: Side) -> Side:
    """The side across the table."""
    return MARKETING if side == CRM else CRM


class Missing(enum.Enum):
    """The type of `MISSING`: a value nobody showed us. It is neither null nor empty, and never changes anything."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING = Missing.MISSING

Value = str | int | float | bool | tuple[str, ...] | None | Missing
Native = Mapping[str, Any]
"""Native field name → native value. A name that is absent was not shown; it was not cleared."""

Liveness = Literal["live", "archived", "gone", "merged"]


_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[_Class]) -> type[_Class]:
    """A dataclass that nobody changes: the type checker sees to it. At run time that care would make each seven times as dear to make,
    and a first load makes a dozen of them for everybody."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


def is_blank(value: Value) -> bool:
    """Shown, and holding nothing: null, empty text, empty set. `MISSING` is not blank: nobody looked."""
    return value is None or value == "" or value == ()


@dataclass(frozen=True, slots=True)
class Proof:
    """Where and when a person gave consent, as the vendor recorded it: the only thing that can justify a grant."""

    source: str
    at_us: int


@value
class Record:
    """One record as one side showed it.

    `ref` is the vendor's most durable id. `fields` holds exactly the native fields that were asked for, in the order asked, each present
    unless the vendor did not show it. `modified_us` is the vendor's own system time, never a user-settable one. `version` is an opaque
    token for conditional writes. `absorbed` lists refs this record has swallowed by merge; `merged_into` names the survivor of this one.
    """

    ref: str
    fields: Native
    modified_us: int | None = None
    version: str | None = None
    liveness: Liveness = "live"
    merged_into: str | None = None
    absorbed: tuple[str, ...] = ()
    field_times_us: Mapping[str, int] | None = None
    proof: Proof | None = None
