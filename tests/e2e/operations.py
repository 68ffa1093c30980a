"""What the cases of operations begin and end with."""

from __future__ import annotations

from tests.e2e.world import World


def in_step(world: World, count: int) -> list[str]:
    emails = [world.pair(f"p{n:03d}", {"firstname": f"P{n}"}, {"FNAME": f"P{n}"}) for n in range(count)]
    world.settle()
    world.mark()
    return emails


def untouched(world: World) -> None:
    assert (world.written("crm"), world.written("marketing")) == ([], [])
