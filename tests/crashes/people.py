"""Plays the orders of a history on the HTTP twins, as people would in the vendors' own screens."""

from __future__ import annotations

from typing import Any

from syncline.records import Side
from tests.crashes.histories import Order, address, belongs
from tests.e2e.world import World

MARKETING_STAGE = {"lead": "LEAD", "mql": "MQL", "sql": "SQL", "customer": "CUST"}
CRM_STAGE = {"lead": "lead", "mql": "marketingqualifiedlead", "sql": "salesqualifiedlead", "customer": "customer"}
NATIVE: dict[Side, dict[str, Any]] = {
    "crm": {
        "first_name": lambda value: ("firstname", value),
        "last_name": lambda value: ("lastname", value),
        "company": lambda value: ("company", value),
        "tags": lambda value: ("marketing_tags", ";".join(value)),
        "stage": lambda value: ("lifecyclestage", CRM_STAGE[value]),
    },
    "marketing": {
        "first_name": lambda value: ("FNAME", value),
        "last_name": lambda value: ("LNAME", value),
        "company": lambda value: ("COMPANY", value),
        "tags": lambda value: ("tags", list(value)),
        "stage": lambda value: ("STAGE", MARKETING_STAGE[value]),
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


def _find(world: World, side: Side, who: str) -> dict[str, Any] | None:
    twin, email = (world.crm, "email") if side == "crm" else (world.marketing, "email_address")
    return next((r for r in twin.records() if r["state"] == "live" and belongs(r.get(email) or "", who)), None)


def _native(order: Order) -> dict[str, Any]:
    return dict(NATIVE[order.side][name](value) for name, value in order.fields)


def _create(world: World, twin: Any, order: Order, _: Any) -> bool:
    if order.side == "crm":
        twin.edit("create", fields={"email": address(order.who), **_native(order)})
    else:
        twin.edit("create", email=address(order.who), fields=_native(order))
    return True


def _update(world: World, twin: Any, order: Order, found: dict[str, Any]) -> bool:
    twin.edit("update", id=found["id"], fields=_native(order))
    return True


def _merge(world: World, twin: Any, order: Order, found: dict[str, Any]) -> bool:
    loser = _find(world, order.side, order.to)
    if loser is not None:
        twin.edit("merge", winner=found["id"], loser=loser["id"])
    return loser is not None


def _change_email(world: World, twin: Any, order: Order, found: dict[str, Any]) -> bool:
    twin.edit("change_email", id=found["id"], to=order.to)
    return True


def _simply(world: World, twin: Any, order: Order, found: dict[str, Any]) -> bool:
    twin.edit(order.deed, id=found["id"])
    return True


_DEEDS: dict[str, Any] = {
    "create": _create, "update": _update, "merge": _merge, "change_email": _change_email, "delete": _simply, "unsubscribe": _simply,
}  # fmt: skip
