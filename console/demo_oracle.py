"""Judges whether both systems are in step, from what they truly hold: its own plain rules, none of our lenses, tables or reports.

It reads the twins' records as they are and compares person by person, by address. What a hold explains, the caller tells it. Only `demo`
imports it, and it imports nothing of ours: an oracle that shares code with what it judges shares its mistakes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Held = Callable[[str, str], bool]
"""(CRM id, field) → does it wait with a reason? The field "" stands for the whole person."""

STAGES = {
    "lead": "LEAD", "subscriber": "LEAD", "marketingqualifiedlead": "MQL", "salesqualifiedlead": "SQL", "opportunity": "SQL",
    "customer": "CUST", "evangelist": "CUST",
}  # fmt: skip
COUNTRIES = {
    "ireland": "IE", "ie": "IE", "united kingdom": "GB", "uk": "GB", "gb": "GB", "united states": "US", "us": "US",
    "france": "FR", "fr": "FR", "deutschland": "DE", "germany": "DE", "de": "DE",
}  # fmt: skip
SOLD_TO = frozenset({"MQL", "SQL", "CUST"})
"""Stages at which sales is shown a subscriber."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be, between records of one person."""

    person: str
    crm_id: str
    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.person}: {self.field or 'record'}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`contacts`: people live on both sides. `held`: differences that wait with a reason. `left_blank`: blanks that say nothing."""

    contacts: int
    unexplained: tuple[Difference, ...]
    held: tuple[Difference, ...]
    left_blank: int


def judge(
    crm: Sequence[Row],
    marketing: Sequence[Row],
    held: Held,
    blanked: frozenset[tuple[str, str]] = frozenset(),
    refused: frozenset[str] = frozenset(),
) -> Verdict:
    """Compare every record. `blanked`: (address, field) that somebody emptied on purpose: a blank overwrites nothing, nor is it filled.

    `refused`: addresses that had said no, or bounced, before the last run (see `refusals`).
    """
    tests = {folded(row["email"]) for row in crm if row.get("is_test") == "true"}  # nobody's business on either side
    people = {folded(row["email"]): row for row in crm if row["state"] == "live" and row.get("email") and folded(row["email"]) not in tests}
    members = {
        folded(row["email_address"]): row for row in marketing if row["state"] == "live" and folded(row["email_address"]) not in tests
    }
    both = sorted(people.keys() & members.keys())
    found = [d for email in both for d in _fields(email, people[email], members[email])]
    found += _only_crm(people, members)
    found += _only_marketing(people, members)
    found += _ghosts(crm, people, members)
    found += _resubscribed(people, members, refused)
    blank = [d for d in found if (d.person, d.field) in blanked]
    waiting = [d for d in found if d not in blank and (held(d.crm_id, d.field) or held(d.crm_id, ""))]
    left = [d for d in found if d not in blank and d not in waiting]
    return Verdict(len(both), tuple(left), tuple(waiting), len(blank))


def refusals(crm: Sequence[Row], marketing: Sequence[Row]) -> frozenset[str]:
    """Addresses whose person has said no, on either side, or whose mail has bounced: nothing we do may ever send to them again."""
    opted_out = {folded(row.get("email")) for row in crm if row.get("hs_email_optout") == "true"}
    return frozenset(opted_out | {folded(row["email_address"]) for row in marketing if row["status"] in ("unsubscribed", "cleaned")})


def folded(text: Any) -> str:
    """Text as people compare it: composed, single-spaced, without case."""
    return " ".join(unicodedata.normalize("NFC", str(text or "")).split()).casefold()


def _fields(email: str, person: Row, member: Row) -> Iterator[Difference]:
    for field, (left, right, rule) in FIELDS.items():
        ours, theirs = person.get(left) or "", member.get(right) or ""
        if not rule(ours, theirs):
            yield Difference(email, person["id"], field, f"{left} {ours!r} in the CRM, {right} {theirs!r} in marketing")


def _same_name(ours: str, theirs: str) -> bool:
    """Marketing holds 50 letters of a name."""
    return folded(ours) == folded(theirs) or (len(ours) > 50 and folded(ours[:50]) == folded(theirs))


def _same_company(ours: str, theirs: str) -> bool:
    """Read from the CRM only, and a blank there says nothing."""
    return not ours or folded(ours[:80]) == folded(theirs)


def _same_country(ours: str, theirs: str) -> bool:
    return COUNTRIES.get(folded(ours), ours) == COUNTRIES.get(folded(theirs), theirs)


def _same_phone(ours: str, theirs: str) -> bool:
    return _dialled(ours) == _dialled(theirs)


def _dialled(text: str) -> str:
    """The digits one would dial from abroad; a number without a + is Irish."""
    digits = re.sub(r"[^\d+]", "", text)
    if not digits or digits.startswith("+"):
        return digits
    return f"+{digits[2:]}" if digits.startswith("00") else f"+353{digits.removeprefix('0')}"


def _same_stage(ours: str, theirs: str) -> bool:
    return STAGES.get(ours, ours) == theirs


def _same_score(ours: str, theirs: int | str) -> bool:
    return float(ours or -1) == float(theirs or 0) * 20


def _same_consent(ours: str, theirs: str) -> bool:
    """Out on one side is out on both. A bounce is no refusal, and the CRM has no word for yes."""
    return (ours == "true") == (theirs == "unsubscribed")


def _same_delivery(ours: str, theirs: str) -> bool:
    return ours == ("bounced" if theirs == "cleaned" else "ok")


def _same_tags(ours: str, theirs: Sequence[str]) -> bool:
    return {tag for tag in ours.split(";") if tag} == set(theirs)


FIELDS: Mapping[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "first_name": ("firstname", "FNAME", _same_name),
    "last_name": ("lastname", "LNAME", _same_name),
    "phone": ("phone", "PHONE", _same_phone),
    "company": ("company", "COMPANY", _same_company),
    "country": ("country", "COUNTRY", _same_country),
    "birthday": ("date_of_birth", "BDAY", lambda ours, theirs: ours == theirs),
    "score": ("marketing_score", "member_rating", _same_score),
    "stage": ("lifecyclestage", "STAGE", _same_stage),
    "consent": ("hs_email_optout", "status", _same_consent),
    "deliverability": ("email_status", "status", _same_delivery),
    "tags": ("marketing_tags", "tags", _same_tags),
}
"""Field → CRM property, marketing field, and whether two values mean the same. The address itself is what pairs the records."""


def _only_crm(people: Mapping[str, Row], members: Mapping[str, Row]) -> Iterator[Difference]:
    """Marketing need not know those who refused."""
    for email in sorted(people.keys() - members.keys()):
        person = people[email]
        if person.get("hs_email_optout") != "true":
            yield Difference(email, person["id"], "", "in the CRM and not in marketing")


def _only_marketing(people: Mapping[str, Row], members: Mapping[str, Row]) -> Iterator[Difference]:
    """Sales need not know a subscriber before marketing has qualified them."""
    for email in sorted(members.keys() - people.keys()):
        if members[email].get("STAGE") in SOLD_TO:
            yield Difference(email, "", "", "qualified in marketing and not in the CRM")


def _resubscribed(people: Mapping[str, Row], members: Mapping[str, Row], refused: frozenset[str]) -> Iterator[Difference]:
    """Equal on both sides is not enough: a no must still be a no."""
    for email in sorted(members.keys() & refused):
        status, crm_id = members[email]["status"], people[email]["id"] if email in people else ""
        if status in ("subscribed", "pending"):
            yield Difference(email, crm_id, "consent", f"had refused or bounced before, and is {status} now")


def _ghosts(crm: Sequence[Row], people: Mapping[str, Row], members: Mapping[str, Row]) -> Iterator[Difference]:
    """Whom the CRM deleted or merged away, marketing must not go on mailing."""
    for row in crm:
        email = folded(row.get("email"))
        if row["state"] != "live" and email not in people and email in members:
            yield Difference(email, row["id"], "", f"{row['state']} in the CRM and still live in marketing")
