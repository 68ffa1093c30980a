"""Puts generated people straight into the twins' state, as records that have been there for months: no calls, no effects."""

from .hubspot import HubSpot
from .hubspot_state import addresses
from .mailchimp import Mailchimp
from .mailchimp_members import Member
from .people import Person, generate


def seed(hubspot: HubSpot, mailchimp: Mailchimp, contacts: int, seed: int, both: float = 0.55, crm_only: float = 0.30) -> list[Person]:
    """Fill both twins with `contacts` people; returns them."""
    people = generate(contacts, seed, both, crm_only)
    _fill_crm(hubspot, people)
    _fill_marketing(mailchimp, people)
    return people


def _fill_crm(twin: HubSpot, people: list[Person]) -> None:
    now_ms = twin.clock.now_ms()
    rows, optouts = [], set()
    for p in sorted((p for p in people if p.crm), key=lambda p: -p.made_age_s):
        props = {**p.crm, "email": p.crm["email"].strip().lower()}
        rows.append((props, now_ms - p.made_age_s * 1000, now_ms - p.crm_age_s * 1000))
        if "hs_email_optout" in props:
            optouts.update(addresses(props))
    twin.state.load(rows, optouts)


def _fill_marketing(twin: Mailchimp, people: list[Person]) -> None:
    now_s = twin.clock.now_ms() // 1000
    twin.state.load([_member(p, now_s) for p in sorted((p for p in people if p.marketing), key=lambda p: -p.made_age_s)])


def _member(p: Person, now_s: int) -> Member:
    m, signup_s = p.marketing, now_s - p.made_age_s
    return Member(
        0, m["email_address"].strip(), m["status"], dict(m["merge_fields"]), tags=m["tags"], by_person=m["by_person"], rating=m["rating"],
        source="Hosted Signup Form", signup_s=signup_s, ip_signup="203.0.113.7", opt_s=0 if m["status"] == "pending" else signup_s,
        ip_opt="" if m["status"] == "pending" else "203.0.113.7", changed_s=now_s - p.marketing_age_s,
    )  # fmt: skip
