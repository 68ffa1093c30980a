"""Identity, end to end: one person stays one record a side, whatever happens to addresses, spellings, indexes and duplicates."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.mailchimp import Mailchimp
from syncline.ports import Receipt
from tests.e2e.people import ADA, BOB, linked_pair, live
from tests.e2e.world import World


def test_A_01_made_on_both_sides_between_polls_is_one_person(world: World) -> None:
    world.settle()
    world.pair(
        "ada",
        {"firstname": "Ada", "phone": "+353 1 555 0101", "country": "Ireland", "lifecyclestage": "customer"},
        {"FNAME": "Ada", "LNAME": "Byron", "PHONE": "+353 1 555 0202", "COUNTRY": "FR", "STAGE": "CUST"},
    )
    world.later(3600)
    world.marketing.edit("update", email=ADA, fields={"COUNTRY": "GB"})
    world.at_rest()
    [contact], [member] = live(world, "crm"), live(world, "marketing")
    assert (contact["firstname"], contact["lastname"], contact["phone"]) == ("Ada", "Byron", "+35315550202")
    assert member["PHONE"] == "+353 1 555 0202"
    assert contact["country"] == "United Kingdom" and member["COUNTRY"] == "GB"
    assert not [op for op, _ in [*world.written("crm"), *world.written("marketing")] if op == "create"]
    assert "firstname" not in dict(world.written("crm")) and "FNAME" not in dict(world.written("marketing"))
    [(rule, old, _new)] = world.changes("country")
    assert (rule, old) == ("newest", "IE")
    [(rule, old, _new)] = world.changes("last_name")
    assert (rule, old) == ("fill", None)


def test_A_03_address_changed_in_the_crm_name_changed_in_marketing(world: World) -> None:
    linked_pair(world)
    before = live(world, "crm")[0]["id"], live(world, "marketing")[0]["contact_id"]
    world.crm.edit("change_email", email=ADA, to="countess@people.example")
    world.marketing.edit("update", email=ADA, fields={"FNAME": "Augusta"})
    world.at_rest()
    [contact], [member] = live(world, "crm"), live(world, "marketing")
    assert (contact["id"], member["contact_id"]) == before
    assert (contact["email"], contact["firstname"]) == ("countess@people.example", "Augusta")
    assert (member["email_address"], member["FNAME"]) == ("countess@people.example", "Augusta")
    assert world.written("crm") == [("firstname", "Augusta")]
    assert world.written("marketing") == [("email_address", "countess@people.example")]


def test_A_03_address_changed_in_marketing_keeps_the_person(world: World) -> None:
    linked_pair(world)
    world.marketing.edit("change_email", email=ADA, to="countess@people.example")
    world.crm.edit("update", email=ADA, fields={"lastname": "Byron"})
    world.at_rest()
    [contact], [member] = live(world, "crm"), live(world, "marketing")
    assert (contact["email"], contact["lastname"]) == ("countess@people.example", "Byron")
    assert (member["email_address"], member["LNAME"]) == ("countess@people.example", "Byron")
    assert world.written("crm") == [("email", "countess@people.example")]
    assert world.written("marketing") == [("LNAME", "Byron")]


def test_A_03_address_changed_on_both_sides_the_crm_is_preferred(world: World) -> None:
    linked_pair(world)
    world.crm.edit("change_email", email=ADA, to="lovelace@people.example")
    world.marketing.edit("change_email", email=ADA, to="countess@people.example")
    world.at_rest()
    [contact], [member] = live(world, "crm"), live(world, "marketing")
    assert contact["email"] == member["email_address"] == "lovelace@people.example"
    assert world.changes("email")[-1] == ("prefer", "countess@people.example", "lovelace@people.example")


def test_A_03_a_linked_person_never_floats_to_whoever_has_the_new_address(world: World) -> None:
    """The new address belongs to an unlinked member: both people stay who they are, and the address waits for a person."""
    world.marketing.edit("create", email=BOB, fields={"FNAME": "Bob"})
    linked_pair(world)
    world.crm.edit("change_email", email=ADA, to=BOB)
    world.crm.edit("update", email=BOB, fields={"lastname": "Byron"})
    world.at_rest()
    ada, bob = world.member(ADA), world.member(BOB)
    assert (ada["FNAME"], ada["LNAME"]) == ("Ada", "Byron")
    assert bob["FNAME"] == "Bob" and "LNAME" not in bob
    assert len(live(world, "crm")) == 1 and world.crm_record(BOB)["firstname"] == "Ada"
    assert world.holds() == [("email", "Rejected")]
    world.marketing.edit("change_email", email=BOB, to="robert@people.example")
    world.at_rest("sweep")
    assert world.member(BOB)["FNAME"] == "Ada" and world.member("robert@people.example")["FNAME"] == "Bob"
    assert world.holds() == []


def test_A_03_swapped_addresses_swap_no_people(world: World) -> None:
    linked_pair(world, "ada")
    linked_pair(world, "bob")
    for old, new in ((ADA, "x@people.example"), (BOB, ADA), ("x@people.example", BOB)):
        world.crm.edit("change_email", email=old, to=new)
    world.crm.edit("update", email=BOB, fields={"lastname": "Byron"})
    world.at_rest()
    by_name = {member["FNAME"]: member for member in live(world, "marketing")}
    assert by_name["Ada"]["LNAME"] == "Byron" and "LNAME" not in by_name["Bob"]
    assert {contact["firstname"]: contact["email"] for contact in live(world, "crm")} == {"Ada": BOB, "Bob": ADA}
    assert not [op for op, _ in world.written("marketing") if op == "create"]


def test_A_05_case_and_spaces_are_the_same_person(world: World) -> None:
    world.crm.edit("create", fields={"email": f" {ADA.upper()} ", "firstname": "Ada", "lifecyclestage": "customer"})
    world.marketing.edit("create", email="Ada@People.Example", fields={"FNAME": "Ada", "STAGE": "CUST"})
    world.mark()
    world.at_rest()
    [contact], [member] = live(world, "crm"), live(world, "marketing")
    assert (contact["email"], member["email_address"]) == (ADA, "Ada@People.Example")
    assert world.written("marketing") == []
    assert dict(world.written("crm")).keys() == {"email_status", "marketing_score"}


def test_A_05_a_created_contact_that_comes_back_in_lower_case_is_left_alone(world: World) -> None:
    world.marketing.edit("create", email="Ada@People.Example", fields={"FNAME": "Ada", "STAGE": "CUST"})
    world.at_rest()
    [contact], [member] = live(world, "crm"), live(world, "marketing")
    assert (contact["email"], member["email_address"]) == (ADA, "Ada@People.Example")
    assert world.written("marketing") == []
    assert world.written("crm") == [("create", ADA)]


@pytest.mark.parametrize(
    ("crm", "marketing"),
    [
        ("andr\u00e9@people.example", unicodedata.normalize("NFD", "andr\u00e9@people.example")),
        ("ada@b\u00fccher.people.example", "ada@xn--bcher-kva.people.example"),
    ],
    ids=["composed", "punycode"],
)
def test_A_07_two_ways_to_write_one_address(world: World, crm: str, marketing: str) -> None:
    world.crm.edit("create", fields={"email": crm, "firstname": "Ada", "lifecyclestage": "customer"})
    world.marketing.edit("create", email=marketing, fields={"FNAME": "Ada"})
    world.mark()
    world.at_rest()
    [contact], [member] = live(world, "crm"), live(world, "marketing")
    assert (contact["email"], member["email_address"]) == (crm, marketing)
    assert world.written("marketing") == [("STAGE", "CUST")]


def test_A_07_look_alike_letters_are_two_people(world: World) -> None:
    cyrillic = "\u0430da@people.example"
    world.crm.edit("create", fields={"email": cyrillic, "firstname": "Other", "lifecyclestage": "lead"})
    world.marketing.edit("create", email=ADA, fields={"FNAME": "Ada"})
    world.at_rest()
    assert {member["email_address"]: member["FNAME"] for member in live(world, "marketing")} == {ADA: "Ada", cyrillic: "Other"}
    assert world.crm_record(cyrillic)["firstname"] == "Other"


def test_A_09_a_record_that_the_index_does_not_show_yet_is_known_from_its_create(world: World) -> None:
    world.settle()
    world.crm.clock(frozen=True)
    world.crm.faults(lag_s=30)
    world.marketing.edit("create", email=ADA, fields={"FNAME": "Ada", "STAGE": "CUST"})
    world.sync()
    assert len(live(world, "crm")) == 1
    world.crm.clock(advance_s=10)
    world.marketing.edit("update", email=ADA, fields={"FNAME": "Augusta"})
    world.sync()
    assert [contact["firstname"] for contact in live(world, "crm")] == ["Augusta"]
    world.crm.clock(advance_s=40)
    world.at_rest()
    assert [op for op, _ in world.written("crm")].count("create") == 1


def test_two_members_with_one_address_wait_and_nobody_is_created(world: World) -> None:
    composed = "andr\u00e9@people.example"
    other = unicodedata.normalize("NFD", composed)
    world.crm.edit("create", fields={"email": composed, "firstname": "Andr\u00e9", "lifecyclestage": "customer"})
    for address in (composed, other):
        world.marketing.edit("create", email=address, fields={"FNAME": "A", "STAGE": "CUST"})
    world.mark()
    world.at_rest()
    assert world.written("crm") == world.written("marketing") == []
    assert world.holds() == [("", "Ambiguous")] * 3
    world.marketing.edit("purge", email=other)
    world.at_rest("sweep")
    assert world.holds() == []
    assert world.member(composed)["FNAME"] == world.crm_record(composed)["firstname"]


def test_a_new_duplicate_of_a_linked_address_waits(world: World) -> None:
    composed = linked_pair(world, "andr\u00e9")
    world.marketing.edit("create", email=unicodedata.normalize("NFD", composed), fields={"FNAME": "Other", "STAGE": "CUST"})
    world.crm.edit("update", email=composed, fields={"lastname": "Byrne"})
    world.at_rest()
    assert world.written("crm") == []
    assert world.written("marketing") == [("LNAME", "Byrne")]
    assert world.holds() == [("", "Ambiguous")]


def test_without_a_required_address_a_contact_waits_until_it_has_one(world: World) -> None:
    world.edit_mapping(("{all: [{field: email, is: present}, {field: is_test, is_not: true}]}", "{field: is_test, is_not: true}"))
    contact = world.crm.edit("create", fields={"firstname": "Ada", "lifecyclestage": "lead"})
    world.at_rest()
    assert live(world, "marketing") == []
    assert world.holds() == [("", "Required")]
    world.crm.edit("update", id=contact, fields={"email": ADA})
    world.at_rest()
    assert world.member(ADA)["FNAME"] == "Ada"
    assert world.holds() == []


def test_a_linked_contact_that_loses_its_required_address_is_held_not_blanked(world: World) -> None:
    world.edit_mapping(
        ("{all: [{field: email, is: present}, {field: is_test, is_not: true}]}", "{field: is_test, is_not: true}"),
        ("    required_in: marketing\n", "    required_in: marketing\n    on_blank: clear\n"),
    )
    linked_pair(world)
    contact = world.crm_record(ADA)["id"]
    world.crm.edit("update", id=contact, fields={"email": "", "lastname": "Byron"})
    world.at_rest()
    assert world.written("marketing") == [("LNAME", "Byron")]
    assert world.holds() == [("email", "Required")]


def test_created_across_by_policy_and_only_once(world: World) -> None:
    """A lead of marketing alone is not shown to sales; a qualified one is; a CRM contact gets its member with no consent to campaigns."""
    world.marketing.edit("create", email=ADA, fields={"FNAME": "Ada", "STAGE": "LEAD"})
    world.marketing.edit("create", email=BOB, fields={"FNAME": "Bob", "STAGE": "SQL"})
    world.crm.edit("create", fields={"email": "eve@people.example", "firstname": "Eve", "lifecyclestage": "lead"})
    world.crm.edit("create", fields={"email": "test@people.example", "firstname": "Test", "is_test": "true"})
    world.at_rest()
    assert world.written("crm") == [("create", BOB), ("email_status", "ok"), ("marketing_score", "40")]  # the last two are Eve's
    assert world.written("marketing") == [("create", "eve@people.example")]
    assert world.member("eve@people.example")["status"] == "transactional"
    world.marketing.edit("update", email=ADA, fields={"STAGE": "MQL"})
    world.at_rest()
    assert world.crm_record(ADA)["lifecyclestage"] == "marketingqualifiedlead"


def test_a_create_answered_with_another_contacts_record_is_held_and_counted_as_held(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked_pair(world)
    member, plain = world.member(ADA)["contact_id"], Mailchimp.push

    def push(self: Mailchimp, object: str, fields: Any, changes: Any) -> Iterator[Receipt]:
        for change in list(changes):
            if change.kind == "create":
                yield Receipt(change.key, member, next(iter(self.read(object, fields, [member]))))
            else:
                yield from plain(self, object, fields, [change])

    monkeypatch.setattr(Mailchimp, "push", push)
    world.crm.edit("create", fields={"email": BOB, "firstname": "Bob", "lifecyclestage": "customer"})
    report = world.sync()
    assert (report.pushed.applied, report.pushed.held, world.holds()) == (0, 1, [("", "Ambiguous")])
