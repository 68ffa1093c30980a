"""Scripted histories: what people do on both sides, act by act, and the rounds of ours that follow. Pure data, the same for the same seed.

An order names a person, never a record: who plays it finds the record, and passes over an order whose person is not there (any more). As
that depends on the true state alone, a history unfolds alike wherever the engine brings both sides to the same state.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

from flows.round import Kind
from syncline.records import SIDES, Side

Deed = Literal["create", "update", "delete", "merge", "unsubscribe", "change_email"]

WEIGHTS: dict[Deed, int] = {"update": 12, "create": 3, "delete": 2, "unsubscribe": 2, "change_email": 2, "merge": 1}
ONCE = ("delete", "unsubscribe", "merge")
"""So rare in one act that no limit of the mapping stops a round."""

FIELDS = ("first", "last", "company", "stage", "tags")
ROUNDS: tuple[tuple[Kind, ...], ...] = (("sync",), ("sync", "sync"), ("sync", "sweep"), ("sweep",))


@dataclass(frozen=True, slots=True)
class Order:
    """One doing of one person on one side. `fields`: each with a number of its own, from which its value is made; `loser`: of a merge."""

    side: Side
    deed: Deed
    who: int
    fields: tuple[tuple[str, int], ...] = ()
    loser: int = 0
    number: int = 0


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
    fields: tuple[str, ...] = FIELDS
    rounds: tuple[tuple[Kind, ...], ...] = ROUNDS


USUAL = Size(people=(3, 6), acts=(2, 4), orders=(2, 7))


def history(seed: int, size: Size = USUAL) -> tuple[Act, ...]:
    """A first load, then acts of random orders."""
    return tuple(_Author(random.Random(f"history {seed}"), size).acts())


class _Author:
    """Draws a history. `numbers`: no value is given twice, so that what is lost can be named."""

    def __init__(self, rng: random.Random, size: Size) -> None:
        self.rng, self.size, self.numbers = rng, size, count(1)
        self.people = range(rng.randint(*size.people))

    def acts(self) -> Iterator[Act]:
        for number in range(self.rng.randint(*self.size.acts)):
            orders = self.some() if number else self.first_load()
            yield Act(tuple(orders), self.rng.choice(self.size.rounds))

    def first_load(self) -> Iterator[Order]:
        for who in self.people:
            for side in self.rng.choice((SIDES, SIDES, SIDES[:1], SIDES[1:])):
                yield self.order("create", side, who)
        if self.rng.random() < 0.5:
            yield self.order("unsubscribe", self.rng.choice(SIDES), self.rng.choice(self.people))

    def some(self) -> Iterator[Order]:
        """Who is created anew is given no tags: an archived member comes back with old ones, and when the answer to that is lost, nobody
        can know that they are not somebody's new ones. Then both are kept.
        """
        left = dict(WEIGHTS)
        for _ in range(self.rng.randint(*self.size.orders)):
            deed = self.rng.choices(tuple(left), tuple(left.values()))[0]
            if deed in ONCE:
                del left[deed]
            order = self.order(deed, self.rng.choice(SIDES), self.rng.choice(self.people))
            yield replace(order, fields=tuple(field for field in order.fields if deed == "update" or field[0] != "tags"))

    def order(self, deed: Deed, side: Side, who: int) -> Order:
        fields = self.rng.sample(self.size.fields, self.rng.choice((1, 1, 2, 3))) if deed in ("create", "update") else ()
        loser = self.rng.choice([one for one in self.people if one != who] or [who])
        return Order(
            "crm" if deed == "merge" else side, deed, who, tuple((name, next(self.numbers)) for name in fields), loser, next(self.numbers)
        )
