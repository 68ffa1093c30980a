"""Invented people for both sides, the same for the same seed: overlapping, messy, and legal for the vendor that holds them.

Every address is at people.example; telephone numbers come from ranges kept for fiction or from +353 1 555.
"""

import random
from dataclasses import dataclass
from datetime import date, timedelta

FIRST = [
    "Aoife", "Ciarán", "Niamh", "Seán", "Siobhán", "Oisín", "Gráinne", "Fionn", "Róisín", "Pádraig", "Zoë", "José", "Inês", "François",
    "Jürgen", "Chloé", "Łukasz", "Søren", "Åsa", "Björn", "Amara", "Chidi", "Fatima", "Hiroshi", "Mei", "Ravi", "Priya", "Olga",
    "Dmitri", "Leila", "Omar", "Grace", "James", "Emma", "Liam", "Olivia", "Noah", "Ava", "Ethan", "Mia", "Jack", "Ruth",
]  # fmt: skip
LAST = [
    "O'Brien", "Murphy", "Kelly", "Byrne", "Ryan", "O'Sullivan", "Walsh", "Doyle", "McCarthy", "Gallagher", "Nuñez", "García", "Müller",
    "Dvořák", "Ångström", "Østergaard", "Żak", "Okafor", "Adeyemi", "Haddad", "Tanaka", "Chen", "Patel", "Singh", "Ivanova", "Petrov",
    "Rossi", "Moreau", "Silva", "Costa", "Smith", "Jones", "Brown", "Taylor", "Davies", "Evans",
]  # fmt: skip
LONG = ["Maximiliana Bernadette Wilhelmina Anastasia de la Concepción", "Featherstonehaugh-Cholmondeley-Marjoribanks-Wriothesley"]
FIRMS = [
    "Kestrel Freight", "Blue Fjord", "Halcyon Labs", "Rowan & Pike", "Northwind Bakery", "Ardagh Tools", "Sable Robotics", "Müller Söhne",
]  # fmt: skip
COUNTRIES = ["Ireland", "United Kingdom", "United States", "IE", "UK", "France", "Deutschland"]
JOBS = ["Buyer", "CTO", "Head of Marketing", "Engineer", "Owner", "Office Manager"]
SOURCES = ["Webinar", "Trade show", "Referral", "Website", "Cold call"]
TAGS = ["newsletter", "webinar", "vip", "trial", "partner", "event"]
STAGES = ["lead", "marketingqualifiedlead", "salesqualifiedlead", "customer"]
MARKETING_STAGE = dict(zip(STAGES, ["LEAD", "MQL", "SQL", "CUST"], strict=True))
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Person:
    """One invented person as each side knows them; None where a side does not.

    `crm`: property values. `marketing`: email_address, status, by_person, merge tags, tags, rating. Ages are seconds before "now".
    """

    crm: dict[str, str] | None
    marketing: dict | None
    made_age_s: int
    crm_age_s: int
    marketing_age_s: int


def generate(n: int, seed: int, both: float = 0.55, crm_only: float = 0.30) -> list[Person]:
    """`n` people; the rest of the shares are marketing only. Addresses are unique on each side once trimmed and lower-cased."""
    rng = random.Random(seed)
    return [_person(rng, i, rng.random(), both, crm_only) for i in range(n)]


def _person(rng: random.Random, i: int, draw: float, both: float, crm_only: float) -> Person:
    first, last = rng.choice(FIRST), rng.choice(LAST)
    if rng.random() < 0.01:
        first, last = LONG[0], LONG[1]
    truth = {
        "first": first, "last": last, "email": f"{_ascii(first)}.{_ascii(last)}{i}@people.example", "phone": rng.choice(PHONES)(rng),
        "company": rng.choice(FIRMS), "country": rng.choice(COUNTRIES), "stage": rng.choice(STAGES), "born": _birthday(rng),
        "tags": tuple(rng.sample(TAGS, rng.choice((0, 0, 1, 2)))),
    }  # fmt: skip
    made_age_s = rng.randrange(30 * DAY_S, 300 * DAY_S)
    # One import in seven shares a stamp, as a vendor's own bulk jobs do.
    crm_age_s = 20 * DAY_S if rng.random() < 0.15 else rng.randrange(DAY_S, made_age_s)
    return Person(
        _crm(rng, i, truth) if draw < both + crm_only else None,
        _marketing(rng, truth) if draw < both or draw >= both + crm_only else None,
        made_age_s, crm_age_s, rng.randrange(DAY_S, made_age_s),
    )  # fmt: skip


def _crm(rng: random.Random, i: int, t: dict) -> dict[str, str]:
    born = t["born"].isoformat()
    return _some({
        "email": _mess(rng, t["email"]), "firstname": t["first"], "lastname": t["last"], "phone": _written(rng, t["phone"]),
        "company": _blank(rng, t["company"], 0.2), "country": _blank(rng, t["country"], 0.2),
        "jobtitle": _blank(rng, rng.choice(JOBS), 0.4),
        "lead_source": _blank(rng, rng.choice(SOURCES), 0.5), "marketing_score": _blank(rng, str(rng.randrange(0, 101)), 0.6),
        "date_of_birth": _blank(rng, born, 0.6), "lifecyclestage": _blank(rng, t["stage"], 0.15), "marketing_tags": ";".join(t["tags"]),
        "hubspot_owner_id": _blank(rng, rng.choice(("71001", "71002", "71003")), 0.3), "is_test": "true" if rng.random() < 0.01 else "",
        "hs_email_optout": "true" if rng.random() < 0.04 else "",
        # A few people's second address is one the other side may hold as a person of its own.
        "hs_additional_emails": f"alt{i}@people.example" if rng.random() < 0.005 else "",
    })  # fmt: skip


def _marketing(rng: random.Random, t: dict) -> dict:
    stage = t["stage"] if rng.random() < 0.8 else rng.choice(STAGES)
    draw = rng.random()
    status = "subscribed" if draw < 0.86 else "unsubscribed" if draw < 0.94 else "cleaned" if draw < 0.97 else "pending"
    fields = {
        "FNAME": _blank(rng, t["first"], 0.1), "LNAME": _blank(rng, t["last"], 0.1), "PHONE": _blank(rng, _written(rng, t["phone"]), 0.5),
        "COMPANY": _blank(rng, t["company"], 0.5), "COUNTRY": _blank(rng, t["country"], 0.6),
        "BDAY": _blank(rng, t["born"].isoformat(), 0.7), "STAGE": _blank(rng, MARKETING_STAGE[stage], 0.3),
    }  # fmt: skip
    return {"email_address": _mess(rng, t["email"]), "status": status, "by_person": status == "unsubscribed" and rng.random() < 0.7,
            "merge_fields": _some(fields), "tags": t["tags"], "rating": rng.randrange(1, 6)}  # fmt: skip


def _some(values: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in values.items() if v}


def _blank(rng: random.Random, value: str, share: float) -> str:
    return "" if rng.random() < share else value


def _mess(rng: random.Random, email: str) -> str:
    draw = rng.random()
    return email if draw < 0.8 else email.title() if draw < 0.9 else email.upper() if draw < 0.95 else f" {email} "


def _birthday(rng: random.Random) -> date:
    return date(1950, 1, 1) + timedelta(days=rng.randrange(20_000))


# Each gives (national with spaces, international with spaces).
PHONES = (
    lambda rng: (lambda n: (f"01 555 {n}", f"+353 1 555 {n}"))(f"{rng.randrange(10_000):04d}"),
    lambda rng: (lambda n: (f"020 7946 {n}", f"+44 20 7946 {n}"))(f"0{rng.randrange(1000):03d}"),
    lambda rng: (lambda n: (f"(202) 555-{n}", f"+1 202-555-{n}"))(f"01{rng.randrange(100):02d}"),
)


def _written(rng: random.Random, phone: tuple[str, str]) -> str:
    national, international = phone
    draw = rng.random()
    if draw < 0.4:
        return international
    if draw < 0.6:
        return international.replace(" ", "").replace("-", "")
    return "00" + international[1:] if draw < 0.75 else national if draw < 0.9 else ""


def _ascii(name: str) -> str:
    """Letters for an address; accents are dropped, since most real addresses have none."""
    folded = name.lower().translate(str.maketrans("áéíóúëêçüłøåäöñřàżâ", "aeioueecul" + "oaaonraza"))
    return "".join(c for c in folded if c.isascii() and c.isalnum())[:20]
