"""Ada and Bob, for the cases of who is who: in step on both sides, and as each side shows them."""

from __future__ import annotations

from typing import Any

from tests.e2e.world import World

ADA = "ada@people.example"
BOB = "bob@people.example"


def live(world: World, side: str) -> list[dict[str, Any]]:
    return [record for record in getattr(world, side).records() if record["state"] == "live"]


def linked_pair(world: World, name: str = "ada", **crm: Any) -> str:
    """Two records of one person, in step, and a mark behind that."""
    email = world.pair(name, {"firstname": name.title(), "lifecyclestage": "customer", **crm}, {"FNAME": name.title(), "STAGE": "CUST"})
    world.settle()
    world.mark()
    return email
