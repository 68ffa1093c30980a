"""What people do in the CRM twin's own screens, and the true state and history an oracle reads."""

from .clock import to_utc
from .hubspot_properties import Property, Refusals
from .hubspot_search import Contact
from .hubspot_state import Crm, Taken


def edit(crm: Crm, order: dict) -> dict:
    """Do one human act: {"op", "id" | "email", "fields", …}. Returns {"id"}. Raises ValueError or KeyError when it cannot be done."""
    try:
        return {"id": ACTS[order["op"]](crm, order)}
    except (Refusals, Taken) as refusal:
        raise ValueError(f"the vendor refuses: {refusal}") from None


def _pick(crm: Crm, order: dict, key: str = "id") -> Contact:
    """The live contact meant by `id` or `email`. Raises KeyError."""
    if "email" in order and key == "id" and "id" not in order:
        return crm.live[crm.emails[order["email"].strip().lower()]]
    return crm.live[int(order[key])]


def _create(crm: Crm, order: dict) -> str:
    fields = crm.cleaned(order["fields"])
    crm.check_unique(fields, None)
    return str(crm.create(fields, "human").id)


def _update(crm: Crm, order: dict) -> str:
    contact, fields = _pick(crm, order), crm.cleaned(order["fields"])
    crm.check_unique(fields, contact.id)
    return str(crm.update(contact, fields, "human").id)


def _delete(crm: Crm, order: dict) -> str:
    contact = _pick(crm, order)
    crm.archive(contact, "human")
    return str(contact.id)


def _purge(crm: Crm, order: dict) -> str:
    id = int(order["id"]) if "id" in order else _pick(crm, order).id
    crm.purge(id)
    return str(id)


def _optout(out: bool):
    def act(crm: Crm, order: dict) -> str | None:
        email = order["email"].strip().lower() if "email" in order else _pick(crm, order).props["email"]
        contact = crm.set_optout(email, out, "human")
        return str(contact.id) if contact else None

    return act


def _owner_add(crm: Crm, order: dict) -> str:
    owner = {"email": "", "firstName": "", "lastName": "", "archived": False, **order["fields"], "id": str(order["id"])}
    crm.owners.append(owner)
    crm.table["hubspot_owner_id"].options.append(owner["id"])
    return owner["id"]


def _add_field(crm: Crm, order: dict) -> None:
    """A custom property of plain text."""
    name = order["name"]
    if name in crm.table:
        raise ValueError(f"there is a property {name}")
    crm.table[name] = Property(name, name.replace("_", " ").title())


ACTS = {
    "create": _create,
    "update": _update,
    "change_email": lambda crm, o: _update(crm, {"id": str(_pick(crm, o).id), "fields": {"email": o["to"]}}),
    "delete": _delete,
    "restore": lambda crm, o: str(crm.unarchive(int(o["id"])).id),
    "purge": _purge,
    "merge": lambda crm, o: str(crm.merge(_pick(crm, o, "winner"), _pick(crm, o, "loser"), "human").id),
    "unsubscribe": _optout(True),
    "resubscribe": _optout(False),
    "clean": lambda crm, o: str(crm.update(_pick(crm, o), {"email_status": "bounced"}, "human", "clean").id),
    "add_field": _add_field,
    "add_option": lambda crm, o: crm.table[o["field"]].options.append(o["value"]),
    "remove_option": lambda crm, o: crm.table[o["field"]].options.remove(o["value"]),
    "owner_add": _owner_add,
    "backup": lambda crm, o: crm.save_backup(),
    "restore_backup": lambda crm, o: crm.restore_backup(),
}


def records(crm: Crm) -> list[dict]:
    """Every contact there ever was, flat, by id: `state` is live, archived, merged (with `merged_into`) or deleted."""
    states = {id: ("live", c, None) for id, c in crm.live.items()}
    states |= {id: ("archived", c, None) for id, c in crm.archived.items()} | crm.gone
    return [
        {**contact.props, "id": str(id), "state": state, "merged_into": str(into) if into else None}
        for id, (state, contact, into) in sorted(states.items())
    ]


def effects(crm: Crm, since: int) -> list[dict]:
    """Applied writes from number `since`, one entry per changed field; whole-record acts have field "*"."""
    return [entry for n, act in enumerate(crm.log[since:], since) for entry in _entries(n, *act)]


def _entries(n: int, at_ms: int, actor: str, op: str, id: int, old: dict | None, new: dict | None) -> list[dict]:
    head = {"n": n, "at": to_utc(at_ms).isoformat(), "actor": actor, "op": op, "id": str(id)}
    if old is None or new is None:
        return [{**head, "field": "*", "before": old, "after": new}]
    names = [k for k in {**old, **new} if old.get(k) != new.get(k) and k != "lastmodifieddate"]
    return [{**head, "field": k, "before": old.get(k), "after": new.get(k)} for k in names]
