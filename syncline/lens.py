"""Lenses: how one canonical field is read from, and written into, the native fields of one side. Mappings build them, merge runs them.

A lens has `get(native) → value` and `put(value, native) → native changes`. Laws, modulo the field's canonical form:

    GetPut   put(get(s), s) changes nothing                  PutGet   get(s + put(v, s)) is v, for v in the domain

A value outside the domain is refused with a HOLD error, never bent. A `Step` is a lens on single values; steps compose, and `at` puts a
chain of steps onto one native name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from syncline.records import MISSING, Native, Value


@dataclass(frozen=True, slots=True)
class Step:
    """A value lens. `get` goes native → canonical, `put` canonical → native; both take and give None for blank and may raise a HOLD error.

    `lossy`: `put` may shorten (a 40-character limit): PutGet holds only for values that fit. `two_way` False: there is no `put`.
    `as_is`: a text that is no mere space and has at most so many characters passes both ways unchanged.
    """

    get: Callable[[Any], Any]
    put: Callable[[Any], Any]
    lossy: bool = False
    two_way: bool = True
    as_is: int = 0


@dataclass(frozen=True, slots=True)
class Lens:
    """One canonical field on one side. `names`: the native fields it reads. `get` gives MISSING when a name was not shown.

    `as_is`: as a Step's, of the only native name and a record that does not show it yet.
    """

    names: tuple[str, ...]
    get: Callable[[Native], Value]
    put: Callable[[Value, Native], dict[str, Any]]
    lossy: bool = False
    two_way: bool = True
    as_is: int = 0


IDENTITY = Step(get=lambda value: value, put=lambda value: value)


def compose(first: Step, second: Step) -> Step:
    """`first` is nearer to the vendor. The laws of both give the laws of the whole."""
    if first is IDENTITY:
        return second
    if second is IDENTITY:
        return first
    get1, get2, put1, put2 = first.get, second.get, first.put, second.put
    return Step(
        get=lambda value: get2(get1(value)),
        put=lambda value: put1(put2(value)),
        lossy=first.lossy or second.lossy,
        two_way=first.two_way and second.two_way,
        as_is=min(first.as_is, second.as_is),
    )


def at(name: str, step: Step) -> Lens:
    """Focus a step on one native field."""
    step_get, step_put = step.get, step.put

    def get(native: Native) -> Value:
        value = native.get(name, MISSING)
        return value if value is MISSING else step_get(value)

    return Lens((name,), get, lambda value, _native: {name: step_put(value)}, step.lossy, step.two_way, step.as_is)


def project(lens: Lens, value: Value, native: Native) -> Value:
    """What this side would show of `value` if it were written: the value itself where the lens is not lossy."""
    return lens.get({**native, **lens.put(value, native)}) if lens.lossy else value
