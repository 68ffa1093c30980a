"""Who is in the two systems before the first run: about 300 parties and as many members, most of them in both, as messy as people are."""

from __future__ import annotations

from typing import Any

from sandbox.people import Person, generate
from tests.real.both_systems import OPT_OUT, BothSystems

PEOPLE, SEED, BATCH = 345, 11, 100
SHARED = "shared@people.example"
NEVER_MEMBER = "never.a.member@people.example"
MESS: tuple[dict[str, Any], ...] = (
    {"name": "Kestrel Freight"},
    {"name": "No Address", "phone": "+353 1 555 0142"},
    {"name": "Nonsense Address", "email": "not an address"},
    {"name": "Two Addresses", "email": ["first@people.example", "second@people.example"]},
    {"name": "One Of Two", "email": SHARED},
    {"name": "Other Of Two", "email": SHARED.upper()},
    {"name": "Opted Out", "email": NEVER_MEMBER, "categories": [OPT_OUT]},
    {"name": "Mononym", "email": "mononym@people.example"},
    {"name": "van der Berg, Ann", "email": "ann.berg@people.example", "phone": "call the front desk"},
)
"""What an office leaves behind: firms, people without an address, two parties for one person."""


def settle_in(systems: BothSystems) -> None:
    """Fill both systems."""
    people = generate(PEOPLE, SEED)
    rows = [_party(n, person) for n, person in enumerate(people) if person.crm] + list(MESS)
    for start in range(0, len(rows), BATCH):
        systems.make(*rows[start : start + BATCH])
    for person in people:
        if person.marketing:
            _join(systems, person)
    for name in ("shared", "mononym"):
        systems.marketing.edit("create", email=f"{name}@people.example", fields={"FNAME": name.title()})


def _party(n: int, person: Person) -> dict[str, Any]:
    crm: dict[str, str] = person.crm or {}
    first, last = crm["firstname"], crm["lastname"]
    name = f"{last}, {first}" if n % 10 == 0 else f"{first}  {last}" if n % 17 == 0 else f"{first} {last}"
    tags = [tag for tag in crm.get("marketing_tags", "").split(";") if tag]
    opt_out = [OPT_OUT] if "hs_email_optout" in crm else []
    return {"name": name, "email": crm["email"], "phone": crm.get("phone"), "categories": tags + opt_out}


def _join(systems: BothSystems, person: Person) -> None:
    member: dict[str, Any] = person.marketing or {}
    fields = {tag: value for tag, value in member["merge_fields"].items() if tag in ("FNAME", "LNAME", "PHONE")}
    email, status = member["email_address"], member["status"]
    born = "pending" if status == "pending" else "subscribed"
    systems.marketing.edit("create", email=email, fields={**fields, "status": born, "tags": list(member["tags"])})
    if status in ("unsubscribed", "cleaned"):
        systems.marketing.edit({"unsubscribed": "unsubscribe", "cleaned": "clean"}[status], email=email.strip())
