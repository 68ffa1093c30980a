"""Both twins in a process of their own, filled through the vendors' own batch calls, and what only they can tell: calls and true state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from benchmarks.people import MERGE, STAGES, TEXTS, contact, member
from sandbox.handles import Twin, Twins

CONTACTS = "/crm/v3/objects/contacts"
AGE_S = 86_400
"""Seeded people are this old: past every overlap, as people that have been there for long."""

EXTRA_TAGS = ("JOB", "SOURCE", *(tag for tag, _ in TEXTS.values()))
"""Merge fields that the audience lacks at first."""

KINDS: Mapping[str, str] = {
    f"GET {CONTACTS}": "read",
    f"POST {CONTACTS}/search": "read",
    "GET /3.0/lists/{list_id}/members": "read",
    f"POST {CONTACTS}/batch/read": "recheck",
    "GET /3.0/lists/{list_id}/members/{ref}": "recheck",
    "GET /crm/v3/properties/contacts": "setup",
    "GET /crm/v3/owners": "setup",
    "GET /3.0/lists/{list_id}": "setup",
    "GET /3.0/lists/{list_id}/merge-fields": "setup",
}
"""What a call is for; whatever is not named here writes."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What both servers counted. `setup`: descriptions of fields and owners, asked for once a day."""

    read: int = 0
    recheck: int = 0
    write: int = 0
    setup: int = 0

    @property
    def total(self) -> int:
        """All but the setup."""
        return self.read + self.recheck + self.write


class World:
    """`size` contacts in the CRM; the audience is empty or holds the same people."""

    def __init__(self, twins: Twins, size: int) -> None:
        self.twins, self.size = twins, size
        self._crm, self._marketing = requests.Session(), requests.Session()
        self._crm.headers["Authorization"] = f"Bearer {twins.hubspot.token}"
        self._marketing.auth = ("benchmark", twins.mailchimp.key)
        self._ids: list[str] = []

    @property
    def environ(self) -> dict[str, str]:
        return self.twins.env()

    def fill_crm(self) -> None:
        """`size` clean contacts, and nobody else."""
        crm = self.twins.hubspot
        crm.reset()
        for name in TEXTS:
            crm.edit("add_field", name=name)
        crm.clock(advance_s=-AGE_S)
        for some in _chunks(range(self.size), 100):
            body = {"inputs": [{"properties": contact(i), "objectWriteTraceId": str(i)} for i in some]}
            made = _sent(self._crm, f"{crm.url}{CONTACTS}/batch/create", body)["results"]
            ids = {row["objectWriteTraceId"]: row["id"] for row in made}
            self._ids += [ids[str(i)] for i in some]
        crm.clock(advance_s=AGE_S)

    def empty_audience(self) -> None:
        """No members, and all the merge fields of the mapping."""
        marketing = self.twins.mailchimp
        marketing.reset()
        for tag in EXTRA_TAGS:
            marketing.edit("add_field", tag=tag)

    def fill_audience(self) -> None:
        """The same people as members."""
        self.empty_audience()
        marketing = self.twins.mailchimp
        marketing.clock(advance_s=-AGE_S)
        for some in _chunks(range(self.size), 500):
            self._write_members([member(contact(i)) for i in some])
        marketing.clock(advance_s=AGE_S)

    def later(self, hours: int = 1) -> None:
        """Time passes on both sides: what happened before is out of every overlap."""
        for twin in (self.twins.hubspot, self.twins.mailchimp):
            twin.clock(advance_s=hours * 3600)

    def crm_now_ms(self) -> int:
        return int(datetime.fromisoformat(self.twins.hubspot.clock()["now"]).timestamp() * 1000)

    def edit_contacts(self, company: str) -> int:
        """One contact in a hundred changes firms; returns how many."""
        crm = self.twins.hubspot
        for some in _chunks(self._ids[::100], 100):
            body = {"inputs": [{"id": id, "properties": {"company": company}} for id in some]}
            _sent(self._crm, f"{crm.url}{CONTACTS}/batch/update", body)
        return len(self._ids[::100])

    def edit_members(self, company: str) -> int:
        """One member in a hundred changes firms; returns how many."""
        chosen = range(0, self.size, 100)
        for some in _chunks(chosen, 500):
            self._write_members([{"email_address": contact(i)["email"], "merge_fields": {"COMPANY": company}} for i in some])
        return len(chosen)

    def _write_members(self, members: Sequence[Mapping[str, Any]]) -> None:
        marketing = self.twins.mailchimp
        url = f"{marketing.url}/3.0/lists/{marketing.audience}?fields=error_count"
        answer = _sent(self._marketing, url, {"members": members, "update_existing": True})
        if answer["error_count"]:
            raise RuntimeError("the audience refused a benchmark member")

    def forget_calls(self) -> None:
        for twin in (self.twins.hubspot, self.twins.mailchimp):
            twin.reset_calls()

    def calls(self) -> Calls:
        """Calls since they were last forgotten."""
        counted: Counter[str] = Counter()
        for twin in (self.twins.hubspot, self.twins.mailchimp):
            for call, times in twin.calls()["calls"].items():
                counted[KINDS.get(call, "write")] += times
        return Calls(**counted)

    def differing(self) -> int:
        """How many people the two sides do not show alike, or that one side lacks; the same person twice counts too."""
        crm, marketing = (_live(twin) for twin in (self.twins.hubspot, self.twins.mailchimp))
        shown, wanted = {r["email_address"]: _seen(r) for r in marketing}, {r["email"]: _wanted(r) for r in crm}
        twice = len(crm) + len(marketing) - len(wanted) - len(shown)
        return twice + sum(shown.get(address) != wanted.get(address) for address in shown.keys() | wanted.keys())


def _sent(session: requests.Session, url: str, body: Mapping[str, Any]) -> Any:
    answer = session.post(url, json=body, timeout=120)
    answer.raise_for_status()
    return answer.json()


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _live(twin: Twin) -> list[dict]:
    return [record for record in twin.records() if record["state"] == "live"]


def _wanted(record: Mapping[str, Any]) -> list[Any]:
    """What a contact must look like as a member."""
    named = [STAGES.get(record.get(name) or "", "") if name == "lifecyclestage" else record.get(name) or "" for name in MERGE]
    out = record.get("hs_email_optout") == "true"
    return [*named, "unsubscribed" if out else "transactional", sorted(filter(None, (record.get("marketing_tags") or "").split(";")))]


def _seen(member: Mapping[str, Any]) -> list[Any]:
    return [*(member.get(tag) or "" for tag in MERGE.values()), member["status"], sorted(member["tags"])]
