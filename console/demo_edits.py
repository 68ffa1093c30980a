"""The edits of the demo: what people do to both systems in their own screens, chosen from who is there. `demo` only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.handles import Twins


@dataclass(frozen=True, slots=True)
class Edit:
    """One story. `crm_ids`: whose log answers it; `fields`: only these fields' lines (all when empty); `quiet`: said when there is no line.

    `blanked`: (address, field) that it emptied.
    """

    title: str
    done: str
    crm_ids: tuple[str, ...]
    fields: tuple[str, ...] = ()
    quiet: str = ""
    blanked: tuple[str, str] | None = None


def candidates(twins: Twins) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """People in both systems, subscribed and complete enough to tell a story with, by CRM id."""
    members = {row["email_address"].casefold(): row for row in twins.mailchimp.records() if row["state"] == "live"}
    pairs = [(row, members.get((row.get("email") or "").casefold())) for row in twins.hubspot.records() if row["state"] == "live"]
    return [(person, member) for person, member in pairs if member and _fit(person, member)]


def _fit(person: dict[str, Any], member: dict[str, Any]) -> bool:
    return (
        member["status"] == "subscribed"
        and person.get("hs_email_optout") != "true"
        and person.get("is_test") != "true"
        and person.get("lifecyclestage") in ("lead", "marketingqualifiedlead")
        and bool(person.get("firstname") and person.get("company") and member.get("LNAME"))
    )


def act(twins: Twins, people: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> Iterator[Edit]:
    """Do the edits, each to people of its own; yields each story once it is done. Needs nine people."""
    crm, marketing = twins.hubspot, twins.mailchimp
    (one, one_m), (two, two_m), (three, three_m), (four, _), (five, _), (six, _), (seven, _), (eight, _), (nine, nine_m) = people[:9]

    crm.edit("update", id=one["id"], fields={"company": "Kestrel Freight International"})
    marketing.edit("update", id=one_m["id"], fields={"LNAME": f"{one_m['LNAME']}-Byrne"})
    done = f"CRM: company. Marketing: last name. ({one['email']})"
    yield Edit("Different fields of one person", done, (one["id"],), ("company", "last_name"))

    crm.edit("update", id=two["id"], fields={"firstname": "Alexandra"})
    marketing.edit("update", id=two_m["id"], fields={"FNAME": "Sandra"})
    done = f"First name: CRM Alexandra, marketing Sandra. ({two['email']})"
    yield Edit("The same field, two answers", done, (two["id"],), ("first_name",))

    marketing.edit("unsubscribe", id=three_m["id"])
    crm.edit("update", id=three["id"], fields={"lifecyclestage": "customer", "phone": "+353 1 555 0199"})
    done = f"Marketing: the person unsubscribes. CRM, later: stage and phone. ({three['email']})"
    yield Edit("An unsubscribe against a later edit", done, (three["id"],), ("consent", "stage", "phone"))

    moved = f"new.address.{four['id']}@people.example"
    crm.edit("change_email", id=four["id"], to=moved)
    yield Edit("A new address", f"CRM: {four['email']} becomes {moved}.", (four["id"],), ("email",))

    crm.edit("delete", id=five["id"])
    yield Edit("A delete", f"CRM: {five['email']} is deleted.", (five["id"],))

    crm.edit("merge", winner=six["id"], loser=seven["id"])
    yield Edit("A merge", f"CRM: {seven['email']} is merged into {six['email']}.", (six["id"], seven["id"]))

    crm.edit("update", id=eight["id"], fields={"lifecyclestage": "other"})
    done = f"CRM: stage becomes `other`, which marketing has no word for. ({eight['email']})"
    yield Edit("A value the other side does not know", done, (eight["id"],), ("stage",))

    marketing.edit("update", id=nine_m["id"], fields={"FNAME": ""})
    quiet = f"nothing is logged, nothing is written: a blank says nothing here (on_blank: ignore), the CRM keeps {nine['firstname']}"
    done, emptied = f"Marketing: the first name is emptied. ({nine['email']})", (str(nine["email"]).casefold(), "first_name")
    yield Edit("A blank", done, (nine["id"],), ("first_name",), quiet, emptied)
