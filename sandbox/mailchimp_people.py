"""What people do in the marketing twin's own screens and mails, and the true state and history an oracle reads."""

from .clock import to_utc
from .mailchimp_fields import BadField, MergeField, hash_of
from .mailchimp_members import Member, Refusal, shown
from .mailchimp_state import Audience


def edit(audience: Audience, order: dict) -> dict:
    """Do one human act: {"op", "id" | "email", "fields", …}. Returns {"id"}: the member's hash. Raises ValueError or KeyError."""
    try:
        member = ACTS[order["op"]](audience, order)
    except (Refusal, BadField) as refusal:
        raise ValueError(f"the vendor refuses: {refusal}") from None
    return {"id": hash_of(member.email) if isinstance(member, Member) else None}


def _pick(audience: Audience, order: dict) -> Member:
    """The member meant by `id` (hash or contact id) or `email`. Raises KeyError."""
    found = audience.find(str(order.get("id") or order["email"]))
    if found is None:
        raise KeyError(order.get("id") or "email")
    return found


def _body(audience: Audience, fields: dict) -> dict:
    """Flat fields as an API body: merge tags go under `merge_fields`."""
    own = {k: v for k, v in fields.items() if k not in audience.table}
    return {**own, "merge_fields": {**fields.get("merge_fields", {}), **{k: v for k, v in fields.items() if k in audience.table}}}


def _create(audience: Audience, order: dict) -> Member:
    fields = {"email_address": order.get("email"), **order.get("fields", {})}
    return audience.add(_body(audience, fields), fields.get("status", "subscribed"), "human")


def _update(audience: Audience, order: dict) -> Member:
    fields, old = order["fields"], _pick(audience, order)
    more = {"tags": tuple(fields["tags"])} if "tags" in fields else {}
    more |= {"rating": fields["member_rating"]} if "member_rating" in fields else {}
    return audience.change(old, _body(audience, fields), fields.get("status"), "human", **more)


def _status(op: str, status: str):
    def act(audience: Audience, order: dict) -> Member:
        old = _pick(audience, order)
        was = old.base if status == "archived" else ""
        return audience.change(old, {}, None, "human", op, status=status, was=was, by_person=old.by_person and status == "archived")

    return act


def _restore(audience: Audience, order: dict) -> Member:
    old = _pick(audience, order)
    return audience.change(old, {}, None, "human", "restore", status=old.was or "subscribed", was="")


def _add_field(audience: Audience, order: dict) -> None:
    kind = order.get("type", "text")
    audience.table[order["tag"]] = MergeField(
        len(audience.table) + 1, order["tag"], order["tag"].title(), kind, choices=order.get("choices")
    )


ACTS = {
    "create": _create,
    "update": _update,
    "change_email": lambda a, o: a.change(_pick(a, o), {"email_address": o["to"]}, None, "human", "change_email"),
    "delete": _status("archive", "archived"),
    "restore": _restore,
    "purge": lambda a, o: a.purge(_pick(a, o), "human"),
    "unsubscribe": lambda a, o: a.unsubscribe(_pick(a, o)),
    "resubscribe": lambda a, o: a.resubscribe(o.get("email") or _pick(a, o).email),
    "clean": _status("clean", "cleaned"),
    "add_field": _add_field,
    "add_option": lambda a, o: a.table[o["field"]].choices.append(o["value"]),
    "remove_option": lambda a, o: a.table[o["field"]].choices.remove(o["value"]),
    "backup": lambda a, o: a.save_backup(),
    "restore_backup": lambda a, o: a.restore_backup(),
}


def flat(m: Member) -> dict:
    """A member as one level of plain values; `by_person` tells whose unsubscribe it was."""
    return {
        "email_address": m.email, "status": m.status, **m.fields, "tags": sorted(m.tags), "by_person": m.by_person, "source": m.source,
        "member_rating": m.rating, "timestamp_signup": shown(m.signup_s), "timestamp_opt": shown(m.opt_s), "ip_opt": m.ip_opt,
        "last_changed": shown(m.changed_s), "vip": m.vip, "language": m.language,
    }  # fmt: skip


def records(audience: Audience) -> list[dict]:
    """Every member there ever was, by id: `state` is live, archived or deleted."""
    rows = [("archived" if m.status == "archived" else "live", m) for m in audience.members.values()]
    rows += [("deleted", m) for m in audience.purged.values()]
    told = [{"id": hash_of(m.email), "contact_id": m.contact_id, "state": state, **flat(m)} for state, m in rows]
    return sorted(told, key=lambda r: (r["id"], r["contact_id"]))


def effects(audience: Audience, since: int) -> list[dict]:
    """Applied writes from number `since`, one entry per changed field; whole-record acts have field "*"."""
    return [entry for n, act in enumerate(audience.log[since:], since) for entry in _entries(n, *act)]


def _entries(n: int, at_ms: int, actor: str, op: str, seq: int, old: Member | None, new: Member | None) -> list[dict]:
    member = new or old
    head = {"n": n, "at": to_utc(at_ms).isoformat(), "actor": actor, "op": op}
    head |= {"id": hash_of(member.email), "contact_id": member.contact_id} if member else {"id": "", "contact_id": ""}
    a, b = old and flat(old), new and flat(new)
    if a is None or b is None:
        return [{**head, "field": "*", "before": a, "after": b}]
    names = [k for k in {**a, **b} if a.get(k) != b.get(k) and k != "last_changed"]
    return [{**head, "field": k, "before": a.get(k), "after": b.get(k)} for k in names]
