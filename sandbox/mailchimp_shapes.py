"""How the marketing twin shows a member, and the `fields` / `exclude_fields` filters that trim an answer."""

from collections.abc import Callable

from .mailchimp_fields import hash_of
from .mailchimp_members import Member, shown
from .mailchimp_state import Audience

Tree = dict[str, "Tree"]
SHOWN_TAGS = 50


def _merge_fields(audience: Audience, m: Member) -> dict:
    return {tag: m.fields.get(tag, "") for tag in audience.table}


def _full_name(audience: Audience, m: Member) -> str:
    return f"{m.fields.get('FNAME', '')} {m.fields.get('LNAME', '')}".strip()


def _reason(audience: Audience, m: Member) -> str:
    return "" if m.status != "unsubscribed" else "N/A (Unsubscribed by the person)" if m.by_person else "N/A (Unsubscribed by an admin)"


# Key order is the vendor's; each key is made only when it is shown.
MEMBER: dict[str, Callable[[Audience, Member], object]] = {
    "id": lambda a, m: hash_of(m.email),
    "email_address": lambda a, m: m.email,
    "unique_email_id": lambda a, m: f"{m.seq * 40503 % 2**32:010x}",
    "contact_id": lambda a, m: m.contact_id,
    "full_name": _full_name,
    "web_id": lambda a, m: 500_000_000 + m.seq,
    "email_type": lambda a, m: m.email_type,
    "status": lambda a, m: m.status,
    "unsubscribe_reason": _reason,
    "consents_to_one_to_one_messaging": lambda a, m: True,
    "merge_fields": _merge_fields,
    "interests": lambda a, m: {},
    "stats": lambda a, m: {"avg_open_rate": 0, "avg_click_rate": 0},
    "ip_signup": lambda a, m: m.ip_signup,
    "timestamp_signup": lambda a, m: shown(m.signup_s),
    "ip_opt": lambda a, m: m.ip_opt,
    "timestamp_opt": lambda a, m: shown(m.opt_s),
    "member_rating": lambda a, m: m.rating,
    "last_changed": lambda a, m: shown(m.changed_s),
    "language": lambda a, m: m.language,
    "vip": lambda a, m: m.vip,
    "email_client": lambda a, m: "",
    "location": lambda a, m: {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, "country_code": "", "timezone": "", "region": ""},
    "source": lambda a, m: m.source,
    "tags_count": lambda a, m: len(m.tags),
    "tags": lambda a, m: [{"id": a.tag_ids[t], "name": t} for t in m.tags[:SHOWN_TAGS]],
    "list_id": lambda a, m: a.list_id,
}


def tree(text: str, prefix: str = "") -> Tree:
    """`a.b,c` as nested dicts, below `prefix` when one is given; an empty dict means "all of it"."""
    root: Tree = {}
    for path in filter(None, (p.strip() for p in text.split(","))):
        at = root
        for part in path.split("."):
            at = at.setdefault(part, {})
    return root.get(prefix, {}) if prefix else root


def trim(value: object, keep: Tree) -> object:
    """Only the wanted parts of a JSON value; lists are looked through."""
    if not keep:
        return value
    if isinstance(value, list):
        return [trim(v, keep) for v in value]
    return {k: trim(v, keep[k]) for k, v in value.items() if k in keep} if isinstance(value, dict) else value


def without(value: object, drop: Tree) -> object:
    if not drop:
        return value
    if isinstance(value, list):
        return [without(v, drop) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: without(v, drop.get(k, {})) for k, v in value.items() if drop.get(k) or k not in drop}


def member(audience: Audience, m: Member, keep: Tree) -> dict:
    """The member, or only the wanted keys of it."""
    if not keep:
        return {key: make(audience, m) for key, make in MEMBER.items()}
    return {key: trim(MEMBER[key](audience, m), inner) for key, inner in keep.items() if key in MEMBER}
