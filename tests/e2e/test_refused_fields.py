"""Fields that a vendor refuses by name, end to end: each waits, for its own reason, with whatever shares it; nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.hubspot import HubSpot
from connectors.mailchimp import Mailchimp
from syncline.errors import OutcomeUnknown, Rejected
from syncline.ports import Receipt
from tests.e2e.test_cases_fields import ADA, crm_edit, linked, marketing_edit
from tests.e2e.world import World

FULL_NAME = (
    ("first_name: {crm: firstname, marketing: merge_fields.FNAME, transform: {",
     "first_name: {crm: full_name, marketing: merge_fields.FNAME, transform: {crm: {name: {part: first}}, "),
    ("last_name:  {crm: lastname,  marketing: merge_fields.LNAME, transform: {",
     "last_name:  {crm: full_name,  marketing: merge_fields.LNAME, transform: {crm: {name: {part: last}}, "),
    ("company: {crm: company,", "company: {crm: full_name,"),
)  # fmt: skip


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Properties that the CRM refuses by name, as long as they are in here; the first one in the change is named."""
    plain, names = HubSpot.push, set[str]()

    def push(self: HubSpot, object: str, fields: Any, changes: Any) -> Iterator[Receipt]:
        for change in list(changes):
            name = next((name for name in change.fields if name in names), None)
            if name is None:
                yield from plain(self, object, fields, [change])
            else:
                yield Receipt(change.key, change.ref, error=Rejected(f"HubSpot refused {name}", field=name))

    monkeypatch.setattr(HubSpot, "push", push)
    return names


def results(world: World, *fields: str) -> list[str]:
    """What became of the last change of each of these fields."""
    return [[row.result for row in world.log(field=field) if row.entry.kind == "change"][-1] for field in fields]


def test_a_refused_full_name_holds_both_its_parts_until_it_is_taken(world: World, refused: set[str]) -> None:
    """And not what only reads it."""
    world.crm.edit("add_field", name="full_name")
    world.edit_mapping(*FULL_NAME)
    linked(world, {"full_name": "Ada Byron"}, {"LNAME": "Byron"})
    refused.add("full_name")
    marketing_edit(world, FNAME="Augusta", LNAME="King", COUNTRY="FR")
    world.at_rest()
    assert world.written("crm") == [("country", "France")] and world.crm_record(ADA)["full_name"] == "Ada Byron"
    assert world.holds() == [("first_name", "Rejected"), ("last_name", "Rejected")]
    assert results(world, "first_name", "last_name", "country") == ["held:Rejected", "held:Rejected", "applied"]
    refused.clear()
    world.at_rest("sweep")
    assert world.crm_record(ADA)["full_name"] == "Augusta King"
    assert (world.member(ADA)["FNAME"], world.member(ADA)["LNAME"]) == ("Augusta", "King") and world.holds() == []


def test_a_refused_full_name_of_somebody_new_holds_both_its_parts_until_it_is_taken(world: World, refused: set[str]) -> None:
    world.crm.edit("add_field", name="full_name")
    world.edit_mapping(*FULL_NAME)
    refused.add("full_name")
    world.marketing.edit("create", email=ADA, fields={"FNAME": "Augusta", "LNAME": "King", "STAGE": "CUST"})
    world.at_rest()
    assert not world.crm_record(ADA).get("full_name")
    assert world.holds() == [("first_name", "Rejected"), ("last_name", "Rejected")]
    refused.clear()
    world.at_rest("sweep")
    assert world.crm_record(ADA)["full_name"] == "Augusta King" and world.holds() == []


def reasons(world: World) -> dict[str, str]:
    """The reason of every open hold, by field."""
    with world.context() as context:
        return {hold.field: hold.reason for hold in context.sync.holds()}


def test_each_refused_field_waits_for_its_own_reason(world: World, refused: set[str]) -> None:
    linked(world)
    refused.update(("lastname", "country"))
    marketing_edit(world, LNAME="King", COUNTRY="FR", PHONE="01 555 0101")
    world.at_rest()
    assert reasons(world) == {"last_name": "HubSpot refused lastname", "country": "HubSpot refused country"}
    assert [name for name, _ in world.written("crm")] == ["phone"]
    assert results(world, "last_name", "country", "phone") == ["held:Rejected", "held:Rejected", "applied"]


def test_a_record_with_more_refused_fields_than_we_try_without_waits_whole(world: World, refused: set[str]) -> None:
    """Its other fields are not sent either: that they wait, and why, is said of the record."""
    linked(world)
    refused.update(("firstname", "lastname", "phone", "date_of_birth", "marketing_tags"))
    marketing_edit(world, FNAME="Augusta", LNAME="King", PHONE="01 555 0101", BDAY="1980-02-29", tags=["vip"], COUNTRY="FR")
    world.at_rest()
    assert world.written("crm") == [] and "HubSpot refused" in reasons(world)[""]
    refused.clear()
    world.at_rest("sweep")
    assert (world.crm_record(ADA)["country"], world.crm_record(ADA)["lastname"]) == ("France", "King") and world.holds() == []


def test_the_first_failure_after_many_refused_nights_pauses_for_a_minute(world: World, refused: set[str], waits: list[float]) -> None:
    linked(world)
    refused.add("country")
    marketing_edit(world, COUNTRY="FR")
    for _ in range(9):
        world.sync("sweep")
    world.marketing.edit("update", email=ADA, fields={"LNAME": "Byron", "COUNTRY": ""})
    world.crm.faults(on="batch/update", kind="429", times=50, retry_after=1)
    assert world.sync().pushed.failed == 1
    world.crm.faults(clear=True)
    world.shift_s = 70
    assert world.sync().pushed.applied == 1 and world.crm_record(ADA)["lastname"] == "Byron"


def test_a_record_refused_for_a_field_that_was_not_sent_waits_whole_and_is_sent_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked(world)
    sent: list[str] = []

    def push(self: HubSpot, object: str, fields: Any, changes: Any) -> Iterator[Receipt]:
        for change in changes:
            sent.append(change.key)
            yield Receipt(change.key, change.ref, error=Rejected("HubSpot wants a company first", field="company"))

    monkeypatch.setattr(HubSpot, "push", push)
    marketing_edit(world, LNAME="King")
    world.sync()
    assert len(sent) == 1 and world.holds() == [("", "Rejected")]


def told(world: World) -> list[str]:
    """What the log says of holds, in order."""
    return [row.entry.kind for row in world.log() if row.entry.kind in ("hold", "release")]


def test_what_is_refused_again_night_after_night_goes_on_waiting(world: World, refused: set[str]) -> None:
    """Since the first night, and without a word in the log; for the reason that is given last; until it is taken."""
    linked(world)
    refused.add("lastname")
    marketing_edit(world, LNAME="King")
    world.at_rest()
    with world.context() as context:
        since = [hold.opened_us for hold in context.sync.holds()]
    for _night in range(2):
        world.later(86_400)
        world.sync("sweep")
    with world.context() as context:
        assert [hold.opened_us for hold in context.sync.holds()] == since
    assert told(world) == ["hold"]
    refused.clear()
    world.at_rest("sweep")
    assert world.holds() == [] and told(world) == ["hold", "release"] and world.crm_record(ADA)["lastname"] == "King"


def test_a_record_that_is_refused_whole_goes_on_waiting_until_it_is_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked(world)
    plain, reason = HubSpot.push, ["too long a day"]

    def push(self: HubSpot, object: str, fields: Any, changes: Any) -> Iterator[Receipt]:
        for change in list(changes):
            yield from [Receipt(change.key, change.ref, error=Rejected(reason[0]))] if reason else plain(self, object, fields, [change])

    monkeypatch.setattr(HubSpot, "push", push)
    marketing_edit(world, LNAME="King")
    world.at_rest()
    reason[0] = "too short a night"
    world.later(86_400)
    world.sync("sweep")
    assert reasons(world) == {"": "too short a night"} and told(world) == ["hold"]
    reason.clear()
    world.at_rest("sweep")
    assert world.holds() == [] and told(world) == ["hold", "release"]


def test_a_refused_field_is_not_told_as_applied_because_the_rest_of_its_write_shows_in_part(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest was sent again and had no answer, and one field of it shows something else: all of that is decided again."""
    plain, tries = HubSpot.push, list[str]()

    def push(self: HubSpot, object: str, fields: Any, changes: Any) -> Iterator[Receipt]:
        for change in list(changes):
            tries.append(change.kind)
            if len(tries) == 1:
                yield Receipt(change.key, change.ref, error=Rejected("no such name", field="lastname"))
            elif len(tries) == 2:
                part = replace(change, fields={name: value for name, value in change.fields.items() if name != "country"})
                [*_] = plain(self, object, fields, [part])
                yield Receipt(change.key, change.ref, error=OutcomeUnknown("no answer"))
            else:
                yield from plain(self, object, fields, [change])

    linked(world)
    monkeypatch.setattr(HubSpot, "push", push)
    marketing_edit(world, LNAME="King", COUNTRY="FR", PHONE="01 555 0101")
    assert world.sync().pushed.applied == 1
    assert results(world, "last_name", "country", "phone") == ["moved", "moved", "applied"]
    world.at_rest()
    assert (world.crm_record(ADA)["lastname"], world.crm_record(ADA)["country"]) == ("King", "France")


def test_what_one_side_refuses_does_not_end_with_what_the_other_takes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    no = {HubSpot: False, Mailchimp: False}
    for connector in (HubSpot, Mailchimp):
        monkeypatch.setattr(connector, "push", refusing(connector, no))
    linked(world)
    no[Mailchimp] = True
    crm_edit(world, lastname="Byron")
    world.settle()
    no.update({HubSpot: True, Mailchimp: False})
    marketing_edit(world, COUNTRY="FR")
    assert (world.sync().open_holds, world.crm_record(ADA).get("country")) == (1, None)
    no[HubSpot] = False
    world.at_rest("sweep")
    assert (world.crm_record(ADA)["country"], world.member(ADA)["LNAME"], world.holds()) == ("France", "Byron", [])


def refusing(connector: Any, no: dict[Any, bool]) -> Any:
    """The connector's `push`, that refuses every change whole as long as `no` says so."""
    plain = connector.push

    def push(self: Any, object: str, fields: Any, changes: Any) -> Iterator[Receipt]:
        for change in list(changes):
            yield from [Receipt(change.key, change.ref, error=Rejected("no"))] if no[connector] else plain(self, object, fields, [change])

    return push
