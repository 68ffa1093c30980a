"""People who edit while a round is under way: after the decision and before its write. Nothing of theirs is lost or overwritten unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from flows.round import Report, run_round
from tests.e2e.crash_wire import acting, writes_members
from tests.e2e.world import World

ADA = "ada@people.example"
BOB = "bob@people.example"


@dataclass(slots=True)
class Meanwhile:
    """A progress bar that lets people act when the round comes to its last `push`."""

    act: Callable[[], object]
    seen: list[str] = field(default_factory=list)

    def stage(self, name: str, total: int | None = None) -> None:
        self.seen.append(name)
        if name == "push":
            self.act()

    def advance(self, count: int) -> None:
        pass


def sync_while(world: World, act: Callable[[], object]) -> Report:
    """One round; `act` happens after its decisions are committed and before anything is written."""
    progress = Meanwhile(act)
    with world.context() as context:
        report = run_round(context, progress=progress)
    assert report.error is None, report.error
    assert progress.seen.count("push") == 1
    return report


def linked(world: World) -> None:
    world.pair("ada", {"firstname": "Ada", "lifecyclestage": "customer"}, {"FNAME": "Ada", "STAGE": "CUST"})
    world.settle()
    world.mark()


def crm(world: World, **fields: str) -> Callable[[], object]:
    return lambda: world.crm.edit("update", email=ADA, fields=fields)


def marketing(world: World, **fields: str) -> Callable[[], object]:
    return lambda: world.marketing.edit("update", email=ADA, fields=fields)


def test_the_field_we_are_about_to_write_in_the_crm(world: World) -> None:
    linked(world)
    marketing(world, LNAME="King")()
    world.later(3600)
    report = sync_while(world, crm(world, lastname="Byron"))
    assert report.pushed.moved == 1
    assert world.crm_record(ADA)["lastname"] == "Byron"
    world.at_rest()
    assert world.crm_record(ADA)["lastname"] == world.member(ADA)["LNAME"] == "Byron"
    assert world.written("crm") == []


def test_the_field_we_are_about_to_write_in_marketing(world: World) -> None:
    linked(world)
    crm(world, lastname="Byron")()
    world.later(3600)
    sync_while(world, marketing(world, LNAME="King"))
    assert world.member(ADA)["LNAME"] == "King"
    world.at_rest()
    assert world.crm_record(ADA)["lastname"] == world.member(ADA)["LNAME"] == "King"
    assert world.written("marketing") == []


def test_another_field_of_the_record_we_write(world: World) -> None:
    linked(world)
    crm(world, lastname="Byron")()
    marketing(world, COUNTRY="FR")()

    def both() -> None:
        marketing(world, FNAME="Augusta")()
        crm(world, phone="+353 1 555 0101")()

    sync_while(world, both)
    world.at_rest()
    contact, member = world.crm_record(ADA), world.member(ADA)
    assert (contact["firstname"], contact["lastname"], contact["country"]) == ("Augusta", "Byron", "France")
    assert (member["FNAME"], member["LNAME"], member["COUNTRY"], member["PHONE"]) == ("Augusta", "Byron", "FR", "+35315550101")
    assert [name for name, _ in world.written("crm")] == ["country", "firstname"]
    assert [name for name, _ in world.written("marketing")] == ["LNAME", "PHONE"]


def test_the_field_whose_value_is_on_its_way_is_edited_again_at_its_source(world: World) -> None:
    linked(world)
    crm(world, lastname="Byron")()
    sync_while(world, crm(world, lastname="King"))
    world.at_rest()
    assert world.crm_record(ADA)["lastname"] == world.member(ADA)["LNAME"] == "King"


def test_a_person_who_unsubscribes_before_we_write_stays_out(world: World) -> None:
    linked(world)
    crm(world, lastname="Byron")()
    sync_while(world, lambda: world.marketing.edit("unsubscribe", email=ADA))
    world.at_rest()
    assert world.member(ADA)["status"] == "unsubscribed" and world.crm_record(ADA)["hs_email_optout"] == "true"
    assert world.member(ADA)["LNAME"] == "Byron"


def test_a_person_who_confirms_while_the_crm_opts_her_out_ends_opted_out(world: World) -> None:
    linked(world)
    world.crm.edit("unsubscribe", email=ADA)
    sync_while(world, lambda: world.marketing.edit("clean", email=ADA))
    world.at_rest()
    assert world.member(ADA)["status"] in ("cleaned", "unsubscribed")
    assert world.crm_record(ADA)["hs_email_optout"] == "true"


def test_the_member_we_are_about_to_create_is_made_by_somebody_else(world: World) -> None:
    world.settle()
    world.crm.edit("create", fields={"email": ADA, "firstname": "Ada", "lifecyclestage": "customer"})
    sync_while(world, lambda: world.marketing.edit("create", email=ADA, fields={"LNAME": "Byron"}))
    world.at_rest()
    assert len(world.marketing.records()) == 1 and world.member(ADA)["status"] == "subscribed"
    assert (world.member(ADA)["FNAME"], world.crm_record(ADA)["lastname"]) == ("Ada", "Byron")
    assert world.holds() == []


def test_the_contact_we_are_about_to_create_is_made_by_somebody_else(world: World) -> None:
    world.settle()
    world.marketing.edit("create", email=ADA, fields={"FNAME": "Ada", "STAGE": "CUST"})
    sync_while(world, lambda: world.crm.edit("create", fields={"email": ADA, "lastname": "Byron"}))
    world.at_rest()
    assert len(world.crm.records()) == 1
    assert (world.member(ADA)["LNAME"], world.crm_record(ADA)["firstname"]) == ("Byron", "Ada")
    assert world.holds() == []


@pytest.mark.parametrize("how", ["delete", "purge"])
def test_the_contact_we_are_about_to_update_is_deleted(world: World, how: str) -> None:
    """The edit that was on its way is not lost: its member is kept, and the pair parts."""
    linked(world)
    world.pair("bob", {"firstname": "Bob"}, {"FNAME": "Bob"})
    world.settle()
    world.mark()
    marketing(world, LNAME="King")()
    contact = world.crm_record(ADA)["id"]
    sync_while(world, lambda: world.crm.edit(how, id=contact))
    world.at_rest("sweep")
    assert world.written("crm") == []
    assert not [r for r in world.crm.records() if r["state"] == "live" and r["email"] == ADA]
    member = world.member(ADA)
    assert (member["state"], member["LNAME"]) == ("live", "King")


@pytest.mark.parametrize("how", ["delete", "purge"])
def test_the_member_we_are_about_to_update_is_removed(world: World, how: str) -> None:
    linked(world)
    world.pair("bob", {"firstname": "Bob"}, {"FNAME": "Bob"})
    world.settle()
    world.mark()
    crm(world, lastname="King")()
    sync_while(world, lambda: world.marketing.edit(how, email=ADA))
    world.at_rest("sweep")
    assert not [op for op, _ in world.written("marketing") if op == "create"]
    assert not [r for r in world.marketing.records() if r["state"] == "live" and r["email_address"] == ADA]
    assert world.crm_record(ADA)["lastname"] == "King"


def test_the_contact_we_are_about_to_update_is_merged_into_another(world: World) -> None:
    linked(world)
    world.pair("bob", {"firstname": "Bob"}, {"FNAME": "Bob"})
    world.settle()
    world.mark()
    marketing(world, LNAME="King")()
    winner, loser = world.crm_record(BOB)["id"], world.crm_record(ADA)["id"]
    sync_while(world, lambda: world.crm.edit("merge", winner=winner, loser=loser))
    world.at_rest("sweep")
    [contact] = [r for r in world.crm.records() if r["state"] == "live"]
    assert (contact["email"], contact["firstname"]) == (BOB, "Bob")
    assert [m["email_address"] for m in world.marketing.records() if m["state"] == "live"] == [BOB]


def test_the_member_we_are_about_to_update_changes_its_address(world: World) -> None:
    linked(world)
    crm(world, lastname="King")()
    sync_while(world, lambda: world.marketing.edit("change_email", email=ADA, to="countess@people.example"))
    world.at_rest()
    [member] = world.marketing.records()
    assert (member["email_address"], member["LNAME"]) == ("countess@people.example", "King")
    assert world.crm_record("countess@people.example")["lastname"] == "King"


def test_two_members_swap_addresses_before_we_write(world: World) -> None:
    linked(world)
    world.pair("bob", {"firstname": "Bob"}, {"FNAME": "Bob"})
    world.settle()
    world.mark()
    crm(world, lastname="King")()

    def swap() -> None:
        for old, new in ((ADA, "x@people.example"), (BOB, ADA), ("x@people.example", BOB)):
            world.marketing.edit("change_email", email=old, to=new)

    sync_while(world, swap)
    for _ in range(3):
        assert world.sync().error is None
    by_name = {m["FNAME"]: m for m in world.marketing.records()}
    assert by_name["Ada"]["LNAME"] == "King" and "LNAME" not in by_name["Bob"]


def test_an_archive_on_its_way_meets_a_restored_contact(world: World) -> None:
    linked(world)
    world.pair("bob", {"firstname": "Bob"}, {"FNAME": "Bob"})
    world.settle()
    contact = world.crm_record(ADA)["id"]
    world.crm.edit("delete", id=contact)
    progress = Meanwhile(lambda: world.crm.edit("restore", id=contact))
    with world.context() as context:
        assert run_round(context, "sweep", progress=progress).error is None
    world.at_rest("sweep")
    assert world.member(ADA)["state"] == "live" and world.member(ADA)["status"] == "subscribed"
    assert world.crm_record(ADA)["id"] == contact


def test_an_archive_on_its_way_meets_an_edited_member(world: World) -> None:
    """Deleted in the CRM; while the archive is under way somebody edits the member: the edit is not buried unseen."""
    linked(world)
    world.pair("bob", {"firstname": "Bob"}, {"FNAME": "Bob"})
    world.settle()
    world.crm.edit("delete", id=world.crm_record(ADA)["id"])
    progress = Meanwhile(marketing(world, LNAME="King"))
    with world.context() as context:
        assert run_round(context, "sweep", progress=progress).error is None
    world.at_rest("sweep")
    assert (world.member(ADA)["state"], world.member(ADA)["LNAME"]) == ("live", "King")


def test_of_a_write_without_an_answer_what_shows_as_it_was_meant_is_agreed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though somebody has edited another field of it since: that one alone is judged anew."""
    linked(world)
    world.crm.edit("update", email=ADA, fields={"firstname": "Ada Maria", "lastname": "King"})
    world.marketing.faults(on="POST /3.0/lists/{list_id}", kind="timeout_after")

    def somebody_edits() -> None:
        world.later(600)
        world.marketing.edit("update", email=ADA, fields={"FNAME": "Countess Ada"})

    acting(monkeypatch, writes_members, somebody_edits)
    world.sync()
    told = {row.entry.field: row.result for row in world.log() if row.entry.kind == "change"}
    assert (told["first_name"], told["last_name"]) == ("moved", "applied")
    world.settle()
    world.crm.edit("update", email=ADA, fields={"lastname": "Byron"})
    world.settle()
    assert (world.member(ADA)["LNAME"], world.crm_record(ADA)["firstname"]) == ("Byron", "Countess Ada")
