"""What "in step" means, said again by rules of the tests' own. They share no code with the mapping's transforms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

CUT = 50
"""Letters of a name that the audience keeps."""


def address(email: str) -> str:
    return email.strip().lower()


def number(phone: str | None) -> str | None:
    """The digits of a telephone number with its country, Ireland unless it says otherwise; None for what is no number."""
    digits = "".join(c for c in phone or "" if c.isdigit())
    if (phone or "").strip().startswith("+") or not digits:
        return digits or None
    return digits[2:] if digits.startswith("00") else "353" + digits.removeprefix("0")


def full_name(name: str | None) -> str:
    """The words of a name in speaking order."""
    last, comma, first = (name or "").partition(",")
    return " ".join((f"{first} {last}" if comma else last).split())


def unlike(party: dict[str, Any], member: dict[str, Any]) -> list[str]:
    """In what a party and its member differ: names of fields."""
    first, last = member.get("FNAME") or "", member.get("LNAME") or ""
    same = {
        "email": address(next(iter(party["email"]), "")) == address(member["email_address"]),
        "name": full_name(party["name"]) == f"{first} {last}".strip() or CUT in (len(first), len(last)),
        "phone": number(next(iter(party["phone"]), None)) == number(member.get("PHONE")),
        "tags": party["categories"] == set(member["tags"]),
        "consent": party["opted_out"] == (member["status"] == "unsubscribed"),
    }
    return [name for name, holds in same.items() if not holds]


def by_address(people: Iterable[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    """Who is live, by (first) address. `key`: "email" of a party or "email_address" of a member."""
    found = defaultdict(list)
    for person in people:
        value = person[key][:1] if isinstance(person[key], list) else [person[key]]
        if value and (person.get("active") or person.get("state") == "live"):
            found[address(value[0])].append(person)
    return dict(found)


def wants_a_party(member: dict[str, Any]) -> bool:
    """Only people who asked to hear from us become parties."""
    return member["status"] in ("subscribed", "pending")
