"""Plays the orders of a history on the HTTP twins, as people would in the vendors' own screens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from syncline.records import Side
from tests.crashes.histories import Order
from tests.e2e.world import World

NAMES = ("ann", "bob", "cara", "dan", "eve", "flo", "gil", "hana")
TAGS = ("newsletter", "webinar", "vip", "trial", "partner", "event")
CRM_STAGES = ("lead", "marketingqualifiedlead", "salesqualifiedlead", "customer")
MARKETING_STAGES = ("LEAD", "MQL", "SQL", "CUST")
NATIVE: dict[Side, dict[str, tuple[str, Callable[[int], Any]]]] = {
    "crm": {
        "first": ("firstname", lambda n: f"First {n}"),
        "last": ("lastname", lambda n: f"Last {n}"),
        "company": ("company", lambda n: f"Firm {n}"),
        "stage": ("lifecyclestage", lambda n: CRM_STAGES[n % 4]),
        "tags": ("marketing_tags", lambda n: ";".join(_tags(n))),
    },
    "marketing": {
        "first": ("FNAME", lambda n: f"First {n}"),
        "last": ("LNAME", lambda n: f"Last {n}"),
        "company": ("COMPANY", lambda n: f"Firm {n}"),
        "stage": ("STAGE", lambda n: MARKETING_STAGES[n % 4]),
        "tags": ("tags", lambda n: _tags(n)),
    },
}
MAY_BE_REFUSED = ("create", "change_email")
"""An address may be somebody's already: the loser's of a merge is the survivor's second one."""


def play(world: World, order: Order) -> bool:
    """Do it; False where there is nobody to do it to (or, for a birth, somebody already), or where the vendor refuses."""
    twin = world.crm if order.side == "crm" else world.marketing
    found = _find(world, order.side, order.who)
    if (found is None) is not (order.deed == "create"):
        return False
    try:
        return _DEEDS[order.deed](world, twin, order, found)
    except ValueError:
        if order.deed not in MAY_BE_REFUSED:
            raise
        return False


def _tags(n: int) -> list[str]:
    """None, one or several, by the bits of the number."""
    return [tag for at, tag in enumerate(TAGS) if n >> at & 1]


def _address(who: int, number: int | None = None) -> str:
    return f"{NAMES[who]}@people.example" if number is None else f"{NAMES[who]}.{number}@people.example"


def _find(world: World, side: Side, who: int) -> dict[str, Any] | None:
    """The live record with an address that is, or once was changed to be, this person's."""
    twin, email = (world.crm, "email") if side == "crm" else (world.marketing, "email_address")
    return next((r for r in twin.records() if r["state"] == "live" and re.match(rf"{NAMES[who]}[.@]", r.get(email) or "")), None)


def _native(order: Order) -> dict[str, Any]:
    named = {name: NATIVE[order.side][name] for name, _ in order.fields}
    return {named[name][0]: named[name][1](n) for name, n in order.fields}


def _create(world: World, twin: Any, order: Order, _: Any) -> bool:
    if order.side == "crm":
        twin.edit("create", fields={"email": _address(order.who), **_native(order)})
    else:
        twin.edit("create", email=_address(order.who), fields=_native(order))
    return True


def _update(world: World, twin: Any, order: Order, found: dict[str, Any]) -> bool:
    twin.edit("update", id=found["id"], fields=_native(order))
    return True


def _merge(world: World, twin: Any, order: Order, found: dict[str, Any]) -> bool:
    loser = _find(world, order.side, order.loser)
    if loser is not None:
        twin.edit("merge", winner=found["id"], loser=loser["id"])
    return loser is not None


def _change_email(world: World, twin: Any, order: Order, found: dict[str, Any]) -> bool:
    twin.edit("change_email", id=found["id"], to=_address(order.who, order.number))
    return True


def _simply(world: World, twin: Any, order: Order, found: dict[str, Any]) -> bool:
    twin.edit(order.deed, id=found["id"])
    return True


_DEEDS: dict[str, Any] = {
    "create": _create, "update": _update, "merge": _merge, "change_email": _change_email, "delete": _simply, "unsubscribe": _simply,
}  # fmt: skip
