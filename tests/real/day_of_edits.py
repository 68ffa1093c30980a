"""One history for tests/real: what people do in both systems on the day after the first load, and what was when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.real.both_systems import OPT_OUT, PARTY, BothSystems
from tests.real.people_of_both import NEVER_MEMBER
from tests.real.plain_rules import address, by_address, unlike


@dataclass
class Moment:
    """Both systems at one time, by address."""

    all_parties: list[dict[str, Any]]
    all_members: list[dict[str, Any]]
    parties: dict[str, list[dict[str, Any]]] = field(init=False)
    members: dict[str, list[dict[str, Any]]] = field(init=False)

    def __post_init__(self) -> None:
        self.parties = by_address(self.all_parties, "email")
        self.members = by_address(self.all_members, "email_address")

    def party(self, email: str) -> dict[str, Any]:
        [found] = self.parties[address(email)]
        return found

    def member(self, email: str) -> dict[str, Any]:
        [found] = self.members[address(email)]
        return found


@dataclass
class History:
    """What was when. `who`: the person of each edit, as they were before it."""

    systems: BothSystems
    before: Moment
    cut: Moment
    loaded: Moment
    who: dict[str, dict[str, Any]]
    end: Moment


def moment(systems: BothSystems) -> Moment:
    return Moment(systems.parties(), systems.members())


EDITS = (
    "crm name", "marketing name", "both halves", "same half", "crm address", "crm phone", "marketing address", "marketing phone",
    "unsubscribed", "opted out", "tags", "merge winner", "merge loser", "merge of an opt-out", "opted-out loser", "merge of a stranger",
    "archived", "deleted", "phone removed", "left the audience", "bounced",
)  # fmt: skip


def a_day(systems: BothSystems, now: Moment) -> dict[str, dict[str, Any]]:
    """What people do in both systems; each edit has a person of its own, who was in step before it."""
    calm = [_calm(now, email) for email in sorted(now.parties.keys() & now.members.keys())]
    who = dict(zip(EDITS, filter(None, calm), strict=False))
    assert len(who) == len(EDITS)
    in_the_crm(systems, {edit: person["id"] for edit, person in who.items()})
    in_the_audience(systems, {edit: person["email"] for edit, person in who.items()})
    return who


def _calm(now: Moment, email: str) -> dict[str, Any] | None:
    """A person who is once in each system, subscribed, in step, with a telephone number and a name of plain words; else None."""
    if len(now.parties[email]) > 1 or len(now.members[email]) > 1:
        return None
    party, member = now.party(email), now.member(email)
    plain = party["phone"] and party["name"] and len(party["email"]) == 1 and len(party["name"].split()) == 2
    if not plain or "," in party["name"] or member["status"] != "subscribed" or unlike(party, member):
        return None
    return {"id": party["id"], "email": email, "party": party, "member": member}


def in_the_crm(systems: BothSystems, who: dict[str, int]) -> None:
    """Ordinary edits in the party's form; edits straight in the list of contact mechanisms; the merge wizard; the archive; a delete."""
    for edit in ("crm name", "both halves", "same half"):
        systems.write(who[edit], name=f"{edit.split()[0].title()} {last_name(systems, who[edit])}")
    systems.edit_mechanism(who["crm address"], "email", "moved.in.crm@people.example")
    systems.edit_mechanism(who["crm phone"], "phone", "01 555 0177")
    systems.remove_mechanism(who["phone removed"], "phone")
    systems.put_into(who["opted out"], OPT_OUT)
    systems.put_into(who["tags"], "From Tryton")
    systems.put_into(who["opted-out loser"], OPT_OUT)
    for loser, winner in (("merge loser", "merge winner"), ("opted-out loser", "merge of an opt-out")):
        systems.crm.replace(who[loser], who[winner])
    [stranger] = [party["id"] for party in systems.parties() if party["email"] == [NEVER_MEMBER]]
    systems.crm.replace(stranger, who["merge of a stranger"])
    systems.write(who["archived"], active=False)
    systems.crm.call(PARTY + "delete", [who["deleted"]])
    systems.make({"name": "New Party", "email": "new.party@people.example", "phone": "+353 1 555 0188", "categories": ["From Tryton"]})


def last_name(systems: BothSystems, number: int) -> str:
    name: str = systems.crm.call(PARTY + "read", [number], ["name"])[0]["name"]
    return name.split()[-1]


def in_the_audience(systems: BothSystems, who: dict[str, str]) -> None:
    """The same evening, on the marketing side."""
    twin = systems.marketing
    fields = {
        "marketing name": {"LNAME": "Newname"}, "both halves": {"LNAME": "Mailchimp"}, "same half": {"FNAME": "Theirs"},
        "marketing phone": {"PHONE": "+353 1 555 0166"}, "tags": {"tags": ["from mailchimp"]},
    }  # fmt: skip
    for edit, values in fields.items():
        twin.edit("update", email=who[edit], fields=values)
    twin.edit("change_email", email=who["marketing address"], to="moved.in.audience@people.example")
    twin.edit("unsubscribe", email=who["unsubscribed"])
    twin.edit("delete", email=who["left the audience"])
    twin.edit("clean", email=who["bounced"])
    twin.edit("create", email="new.member@people.example", fields={"FNAME": "New", "LNAME": "Member", "tags": ["from mailchimp"]})
    twin.edit("create", email="not.asked@people.example", fields={"FNAME": "Not", "LNAME": "Asked", "status": "unsubscribed"})
