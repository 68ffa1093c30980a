"""Clean invented people, the same on both sides and the same every time: nothing to tidy, so that only moving them is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIRST = ("Aoife", "Niamh", "Siobhán", "François", "Chloé", "Hiroshi", "Priya", "Grace", "Omar", "Ruth", "Björn")
LAST = ("Murphy", "O'Brien", "Nuñez", "Müller", "Okafor", "Tanaka", "Singh", "Ivanova", "Rossi", "Byrne", "Evans", "Walsh", "Silva")
FIRMS = ("Kestrel Freight", "Blue Fjord", "Halcyon Labs", "Northwind Bakery", "Sable Robotics")
JOBS = ("Buyer", "CTO", "Head of Marketing", "Engineer", "Owner", "Office Manager", "Analyst")
SOURCES = ("Webinar", "Trade show", "Referral")
COUNTRIES = ("Ireland", "France", "Germany", "Spain")
STAGES = {"lead": "LEAD", "marketingqualifiedlead": "MQL", "salesqualifiedlead": "SQL", "customer": "CUST"}
TAGS = ((), ("newsletter",), ("webinar",), ("newsletter", "vip"), ("trial",))

MERGE = {
    "firstname": "FNAME", "lastname": "LNAME", "phone": "PHONE", "company": "COMPANY", "country": "COUNTRY", "jobtitle": "JOB",
    "lead_source": "SOURCE", "date_of_birth": "BDAY", "lifecyclestage": "STAGE",
}  # fmt: skip
"""CRM property → merge tag."""

PROPERTIES = ("email", *MERGE, "hs_email_optout", "marketing_tags")
"""Every CRM property that the mapping reads."""

SHOWN = ("contact_id", "email_address", "status", "last_changed", "source", "timestamp_opt", "tags_count")
MEMBER_FIELDS = (*SHOWN, *(f"merge_fields.{tag}" for tag in MERGE.values()), "tags.name")
"""Every member field that the mapping reads, and what the connector needs besides: the floor asks for the same."""


def contact(i: int) -> dict[str, str]:
    """The properties of person `i` in the CRM."""
    return {
        "email": f"person{i:07d}@people.example",
        "firstname": FIRST[i % len(FIRST)],
        "lastname": LAST[i % len(LAST)],
        "phone": f"+1{200 + i // 100 % 800}55501{i % 100:02d}",
        "company": FIRMS[i % len(FIRMS)],
        "country": COUNTRIES[i % len(COUNTRIES)],
        "jobtitle": JOBS[i % len(JOBS)],
        "lead_source": SOURCES[i % len(SOURCES)],
        "date_of_birth": f"{1950 + i % 50}-{1 + i % 12:02d}-{1 + i % 28:02d}",
        "lifecyclestage": tuple(STAGES)[i % len(STAGES)],
        "marketing_tags": ";".join(TAGS[i % len(TAGS)]),
    }


def member(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A contact's properties as a member's body."""
    fields = {tag: properties.get(name) or "" for name, tag in MERGE.items()}
    fields["STAGE"] = STAGES.get(fields["STAGE"], "")
    tags = (properties.get("marketing_tags") or "").split(";")
    return {"email_address": properties["email"], "status": "transactional", "merge_fields": fields, "tags": [t for t in tags if t]}
