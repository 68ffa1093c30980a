"""Scripted histories: what people do on both sides, act by act, and the rounds of ours that follow. Pure data, the same for the same seed.

An order names a person, never a record: who plays it finds the record, and passes over an order whose person is not there (any more). As
that depends on the true state alone, a history unfolds alike wherever the engine brings both sides to the same state.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from flows.round import Kind
from syncline.records import SIDES, Side

Deed = Literal["create", "update", "delete", "merge", "unsubscribe", "change_email"]

NAMES = ("ann", "bob", "cara", "dan", "eve", "flo", "gil", "hana")
TAGS = ("newsletter", "webinar", "vip", "trial", "partner", "event")
STAGES = ("lead", "mql", "sql", "customer")
ROUNDS: tuple[tuple[Kind, ...], ...] = (("sync",), ("sync", "sync"), ("sync", "sweep"), ("sweep",))


@dataclass(frozen=True, slots=True)
class Order:
    """One person's doing on one side. `fields`: canonical names and values; `to`: a new address, or whom a merge swallows."""

    side: Side
    deed: Deed
    who: str
    fields: tuple[tuple[str, Any], ...] = ()
    to: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What people do, and then our rounds."""

    orders: tuple[Order, ...]
    rounds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens in a history: ranges, both ends included."""

    people: tuple[int, int]
    acts: tuple[int, int]
    orders: tuple[int, int]
    rounds: tuple[tuple[Kind, ...], ...] = ROUNDS


USUAL = Size(people=(3, 6), acts=(2, 4), orders=(2, 7))


def history(seed: int, size: Size = USUAL) -> tuple[Act, ...]:
    """A first load, then acts of random orders."""
    rng = random.Random(f"history {seed}")
    names = NAMES[: rng.randint(*size.people)]
    value = _values(rng)
    acts = [Act(tuple(_first_load(rng, names, value)), rng.choice(size.rounds))]
    for number in range(1, rng.randint(*size.acts)):
        orders = tuple(_order(rng, names, value, number) for _ in range(rng.randint(*size.orders)))
        acts.append(Act(orders, rng.choice(size.rounds)))
    return tuple(acts)


def _first_load(rng: random.Random, names: tuple[str, ...], value: Callable[[str], Any]) -> Iterator[Order]:
    for who in names:
        for side in rng.choice((SIDES, SIDES, SIDES[:1], SIDES[1:])):
            yield _create(rng, side, who, value)
    yield from (Order(side, "unsubscribe", rng.choice(names)) for side in SIDES if rng.random() < 0.3)


def _create(rng: random.Random, side: Side, who: str, value: Callable[[str], Any]) -> Order:
    some = [name for name in FIELDS if rng.random() < 0.5]
    return Order(side, "create", who, tuple((name, value(name)) for name in some))


def _order(rng: random.Random, names: tuple[str, ...], value: Callable[[str], Any], act: int) -> Order:
    who, side = rng.choice(names), rng.choice(SIDES)
    match rng.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]:
        case "create":
            return _create(rng, side, who, value)
        case "merge":
            return Order("crm", "merge", who, to=rng.choice([name for name in names if name != who]))
        case "change_email":
            return Order(side, "change_email", who, to=f"{who}.{act}@people.example")
        case "update":
            some = rng.sample(tuple(FIELDS), rng.choice((1, 1, 2)))
            return Order(side, "update", who, tuple((name, value(name)) for name in some))
        case deed:
            return Order(side, deed, who)


WEIGHTS: dict[Deed, int] = {"update": 12, "create": 3, "delete": 2, "unsubscribe": 2, "change_email": 2, "merge": 1}
FIELDS: dict[str, Callable[[random.Random, int], Any]] = {
    "first_name": lambda rng, n: f"First {n}",
    "last_name": lambda rng, n: f"Last {n}",
    "company": lambda rng, n: f"Firm {n}",
    "tags": lambda rng, n: tuple(sorted(rng.sample(TAGS, rng.choice((0, 1, 2))))),
    "stage": lambda rng, n: rng.choice(STAGES),
}


def _values(rng: random.Random) -> Callable[[str], Any]:
    """Values of a field, every text its own: what is lost can be named."""
    count = iter(range(1, 1_000_000))
    return lambda field: FIELDS[field](rng, next(count))


def address(who: str) -> str:
    """The address a person starts with."""
    return f"{who}@people.example"


def belongs(email: str, who: str) -> bool:
    """Whether an address is, or once was changed to be, this person's."""
    return email.lower().partition("@")[0].partition(".")[0] == who
