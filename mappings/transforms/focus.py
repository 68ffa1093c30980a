"""Puts a transform onto one native name, and gives every lens the same good manners. Used by `lenses`.

Whatever the transform, a side that already shows an equal value is left exactly as it is, spelling and all: GetPut, to the letter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mappings.transforms.native import RETYPED, dress
from syncline.errors import Rejected, SyncError
from syncline.lens import Lens, Step
from syncline.mapping import Canon
from syncline.ports import FieldInfo
from syncline.records import MISSING, Native, Value

Get = Callable[[Any], Any]
PutBeside = Callable[[Any, Any], Any]
"""(canonical value, native value shown or MISSING) → native value, or MISSING to leave the side alone."""


def focus(name: str, step: Step, canon: Canon, info: FieldInfo | None = None) -> Lens:
    """A step on the native field `name`."""
    beside = focus_beside(name, step.get, lambda value, _shown: step.put(value), canon, info, lossy=step.lossy, two_way=step.two_way)
    put, put_beside = step.put, beside.put

    def put_named(value: Value, native: Native) -> dict[str, Any]:
        if name in native or value is MISSING:
            return put_beside(value, native)
        try:  # into a new record, where there is nothing to look at
            return {name: dress(put(value), MISSING, info)}
        except Rejected as refusal:
            refusal.field = refusal.field or name
            raise

    as_is = 0 if info is not None and info.type in RETYPED else step.as_is
    return Lens(beside.names, beside.get, put_named, beside.lossy, beside.two_way, as_is)


def focus_beside(
    name: str, get: Get, put: PutBeside, canon: Canon, info: FieldInfo | None = None, *, lossy: bool = False, two_way: bool = True
) -> Lens:
    """As `focus`, for a `put` that must see what the side shows now. A refusal (Rejected) names the native field."""

    # Run for every field of every changed record: no layer more than needed.
    def get_named(native: Native) -> Value:
        shown = native.get(name, MISSING)
        if shown is MISSING:
            return shown
        try:
            return get(shown)  # type: ignore[no-any-return]
        except Rejected as refusal:
            refusal.field = refusal.field or name
            raise

    def put_named(value: Value, native: Native) -> dict[str, Any]:
        shown = native.get(name, MISSING)
        if value is MISSING or (shown is not MISSING and _agrees(shown, value, get, canon)):
            return {}
        try:
            new = put(value, shown)
        except Rejected as refusal:
            refusal.field = refusal.field or name
            raise
        return {} if new is MISSING else {name: dress(new, shown, info)}

    return Lens((name,), get_named, put_named, lossy, two_way)


def _agrees(shown: Any, value: Value, get: Get, canon: Canon) -> bool:
    try:
        return bool(canon(get(shown)) == canon(value))
    except SyncError:
        return False
