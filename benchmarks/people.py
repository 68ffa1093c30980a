"""Clean invented people, the same on both sides and the same every time: nothing to tidy, so that only moving them is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FIRST = ("Aoife", "Niamh", "Siobhán", "François", "Chloé", "Hiroshi", "Priya", "Grace", "Omar", "Ruth", "Björn")
LAST = ("Murphy", "O'Brien", "Nuñez", "Müller", "Okafor", "Tanaka", "Singh", "Ivanova", "Rossi", "Byrne", "Evans", "Walsh", "Silva")
FIRMS = ("Kestrel Freight", "Blue Fjord", "Halcyon Labs", "Northwind Bakery", "Sable Robotics")
JOBS = ("Buyer", "CTO", "Head of Marketing", "Engineer", "Owner", "Office Manager", "Analyst")
SOURCES = ("Webinar", "Trade show", "Referral")
COUNTRIES = ("Ireland", "France", "Germany", "Spain")
STAGES = {"lead": "LEAD", "marketingqualifiedlead": "MQL", "salesqualifiedlead": "SQL", "customer": "CUST"}
TAGS = ((), ("newsletter",), ("webinar",), ("newsletter", "vip"), ("trial",))

TYPED = {
    "firstname": "FNAME", "lastname": "LNAME", "phone": "PHONE", "company": "COMPANY", "country": "COUNTRY", "jobtitle": "JOB",
    "lead_source": "SOURCE", "date_of_birth": "BDAY", "lifecyclestage": "STAGE",
}  # fmt: skip
"""CRM property → merge tag, of the fields that have a type, a limit or a meaning."""

TEXTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "city": ("HOMETOWN", ("Galway", "Lyon", "Leipzig", "Valencia", "Limerick")),
    "shire": ("PROVINCE", ("Connacht", "Saxony", "Occitanie", "Munster")),
    "zip": ("POSTCODE", ("H91 E2K3", "69002", "04109", "46001")),
    "street": ("ADDRLINE", ("12 Quay Street", "4 rue Haute", "81 Ringweg", "9 Calle Nueva")),
    "sector": ("INDUSTRY", ("Logistics", "Retail", "Robotics", "Food")),
    "size": ("HEADCOUNT", ("1-10", "11-50", "51-200", "201-1000")),
    "team": ("DEPARTMENT", ("Sales", "Finance", "Operations", "Purchasing")),
    "level": ("SENIORITY", ("Junior", "Senior", "Director")),
    "rep": ("ACCOUNTMGR", ("Dara Keane", "Ines Moreau", "Sam Okafor")),
    "region": ("TERRITORY", ("EMEA North", "EMEA South", "DACH")),
    "plan": ("PRICEPLAN", ("Starter", "Growth", "Enterprise")),
    "lang": ("LANGUAGE", ("English", "French", "German", "Spanish")),
    "zone": ("TIMEZONE", ("Europe/Dublin", "Europe/Paris", "Europe/Berlin")),
    "coin": ("CURRENCY", ("EUR", "GBP", "CHF")),
    "topic": ("INTERESTED", ("Cold chain", "Route planning", "Invoicing")),
    "event": ("LASTEVENT", ("Expo Lyon 2025", "Open day", "Dublin Meet-up")),
    "school": ("EDUCATION", ("Trinity", "TU Dresden", "Sorbonne", "UCD")),
    "offer": ("PROMOCODE", ("SPRING-10", "WELCOME", "PARTNER-15")),
}
"""CRM property → merge tag and values, of the plain texts. Neither vendor has them from the start."""

MERGE = {**TYPED, **{name: tag for name, (tag, _) in TEXTS.items()}}
"""CRM property → merge tag, of every field that has one."""

PROPERTIES = ("email", *MERGE, "hs_email_optout", "marketing_tags")
"""Every CRM property that the mapping reads: thirty."""

ASKED = (*PROPERTIES, "lastmodifieddate", "hs_merged_object_ids")
"""Those, and what the connector needs besides: the floor asks for the same."""

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
        **{name: values[i % len(values)] for name, (_, values) in TEXTS.items()},
    }


def member(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A contact's properties as a member's body."""
    fields = {tag: properties.get(name) or "" for name, tag in MERGE.items()}
    fields["STAGE"] = STAGES.get(fields["STAGE"], "")
    tags = (properties.get("marketing_tags") or "").split(";")
    return {"email_address": properties["email"], "status": "transactional", "merge_fields": fields, "tags": [t for t in tags if t]}
