"""One person, on both sides, alike."""

from typing import Any

from kernel_modules import Kernel
from native import mapping
from world import SIDES, World

ANN = {"email": "ann@people.example", "last": "Kelly", "birthday": "1980-02-29", "stage": "lead", "tags": "ta", "first": "Ann"}


def linked(k: Kernel, consent: tuple[Any, Any] = ("in", "sub"), **policy: Any) -> World:
    """One person on both sides, alike, linked and quiet."""
    world = World(k, mapping(k, crm="full", **policy))
    for side, word in zip(SIDES, consent, strict=True):
        native = ANN | {"stage": f"{side[0]}_lead"}
        blank = dict.fromkeys(world.mapping.sides[side].native)
        world.add(side, side, **blank | native | {"consent": word})
    world.until_quiet()
    return world


def shown(world: World, side: str, name: str) -> Any:
    return world.vendors[side][side].fields[name]
