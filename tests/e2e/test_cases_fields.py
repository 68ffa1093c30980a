"""Fields, end to end: edits of both sides survive, equal ones are no conflict, blanks and short forms are no edits; a bad value waits."""

from __future__ import annotations

from typing import Any

from tests.e2e.world import World

ADA = "ada@people.example"
LONG = "Maximiliana Bernadette Wilhelmina Anastasia de la Concepción"


def linked(world: World, crm: dict[str, Any] | None = None, marketing: dict[str, Any] | None = None) -> None:
    """Ada on both sides, in step, and a mark behind that."""
    world.pair(
        "ada", {"firstname": "Ada", "lifecyclestage": "customer", **(crm or {})}, {"FNAME": "Ada", "STAGE": "CUST", **(marketing or {})}
    )
    world.settle()
    world.mark()


def crm_edit(world: World, **fields: Any) -> None:
    world.crm.edit("update", email=ADA, fields=fields)


def marketing_edit(world: World, **fields: Any) -> None:
    world.marketing.edit("update", email=ADA, fields=fields)


def test_B_01_different_fields_edited_on_each_side_both_survive(world: World) -> None:
    linked(world)
    crm_edit(world, lastname="Byron")
    marketing_edit(world, COUNTRY="FR")
    world.at_rest()
    assert world.written("crm") == [("country", "France")]
    assert world.written("marketing") == [("LNAME", "Byron")]


def test_B_02_the_same_new_value_on_both_sides_is_no_conflict(world: World) -> None:
    linked(world)
    crm_edit(world, lastname="Byron")
    marketing_edit(world, LNAME="Byron")
    world.at_rest()
    assert world.written("crm") == world.written("marketing") == []
    marketing_edit(world, LNAME="King")
    world.at_rest()
    assert world.written("crm") == [("lastname", "King")]
    assert world.changes("last_name")[-1] == ("one_side", "Byron", "King")


def test_B_03_a_two_sided_edit_asks_the_rule_and_the_log_keeps_what_gave_way(world: World) -> None:
    linked(world)
    crm_edit(world, lastname="Byron")
    world.later(3600)
    marketing_edit(world, LNAME="King")
    world.at_rest()
    assert world.written("crm") == [("lastname", "King")] and world.written("marketing") == []
    assert world.changes("last_name")[-1] == ("newest", "Byron", "King")


def test_B_03_within_the_skew_the_tie_side_wins(world: World) -> None:
    linked(world)
    crm_edit(world, lastname="Byron")
    world.later(30)
    marketing_edit(world, LNAME="King")
    world.at_rest()
    assert world.written("marketing") == [("LNAME", "Byron")] and world.written("crm") == []
    assert world.changes("last_name")[-1] == ("newest", "King", "Byron")


def test_B_04_a_blank_says_nothing_unless_the_mapping_lets_it_clear(world: World) -> None:
    linked(world, {"lastname": "Byron"}, {"LNAME": "Byron"})
    crm_edit(world, lastname="")
    world.at_rest()
    assert world.written("crm") == world.written("marketing") == []
    marketing_edit(world, LNAME="King")
    world.at_rest()
    assert world.written("crm") == [("lastname", "King")]


def test_B_04_where_blanks_clear_a_cleared_field_is_cleared_across(world: World) -> None:
    world.edit_mapping(("last_name:  {crm: lastname,", "last_name:  {on_blank: clear, crm: lastname,"))
    linked(world, {"lastname": "Byron", "country": "France"}, {"LNAME": "Byron", "COUNTRY": "FR"})
    crm_edit(world, lastname="", country="")
    world.at_rest()
    assert world.written("marketing") == [("LNAME", None)]
    marketing_edit(world, LNAME="King")
    world.at_rest()
    marketing_edit(world, LNAME="")
    world.at_rest()
    assert not world.crm_record(ADA)["lastname"] and not world.crm_record(ADA)["country"]


def test_B_04_a_set_that_was_shown_in_part_is_unknown_and_not_cut(world: World) -> None:
    """Past 50 tags Mailchimp shows only some: neither side loses one, and the rest of the record goes on."""
    linked(world, {"marketing_tags": "vip"}, {"tags": ["vip"]})
    many = ["vip", *(f"tag{n:02}" for n in range(60))]
    marketing_edit(world, tags=many, LNAME="Byron")
    crm_edit(world, marketing_tags="vip;trial")
    world.at_rest()
    assert set(world.member(ADA)["tags"]) >= set(many)
    assert world.crm_record(ADA)["marketing_tags"] == "vip;trial"
    assert world.written("crm") == [("lastname", "Byron")]
    marketing_edit(world, tags=["vip"])
    world.at_rest()
    assert world.member(ADA)["tags"] == ["trial", "vip"]


def test_B_06_a_shortened_name_is_no_edit(world: World) -> None:
    world.crm.edit("create", fields={"email": ADA, "firstname": LONG, "lastname": "Byron", "lifecyclestage": "customer"})
    world.at_rest()
    short = world.member(ADA)["FNAME"]
    assert len(short) <= 50 and LONG.startswith(short)
    assert world.crm_record(ADA)["firstname"] == LONG
    world.mark()
    marketing_edit(world, LNAME="King")
    world.at_rest()
    assert world.written("crm") == [("lastname", "King")] and world.written("marketing") == []
    world.later(3600)
    marketing_edit(world, FNAME="Max")
    world.at_rest()
    assert world.crm_record(ADA)["firstname"] == "Max"
    last = [row.entry for row in world.log(field="first_name")][-1]
    assert (last.rule, last.old) == ("newest", LONG) and "shortened" in last.reason


def test_B_06_an_older_edit_of_a_short_form_does_not_shorten_the_whole(world: World) -> None:
    world.crm.edit("create", fields={"email": ADA, "firstname": LONG, "lifecyclestage": "customer"})
    world.settle()
    world.mark()
    marketing_edit(world, FNAME="Max")
    world.later(3600)
    crm_edit(world, lastname="Byron")
    world.at_rest()
    assert world.crm_record(ADA)["firstname"] == LONG
    assert LONG.startswith(world.member(ADA)["FNAME"]) and len(world.member(ADA)["FNAME"]) > 3


def test_B_08_a_value_the_table_does_not_know_holds_its_field_alone(world: World) -> None:
    linked(world)
    crm_edit(world, lifecyclestage="other", lastname="Byron")
    world.at_rest()
    assert world.written("marketing") == [("LNAME", "Byron")]
    assert world.member(ADA)["STAGE"] == "CUST" and world.holds() == [("stage", "UnknownChoice")]
    crm_edit(world, lifecyclestage="evangelist")
    world.at_rest()
    assert world.holds() == [] and world.member(ADA)["STAGE"] == "CUST"


def test_B_08_an_option_the_vendor_refuses_holds_its_field_until_it_is_there(world: World) -> None:
    linked(world)
    marketing_edit(world, tags=["golf", "vip"], LNAME="Byron")
    world.at_rest()
    assert world.crm_record(ADA)["lastname"] == "Byron"
    assert not world.crm_record(ADA).get("marketing_tags")
    [(field, _code)] = world.holds()
    assert field == "tags"
    world.crm.edit("add_option", field="marketing_tags", value="golf")
    world.at_rest("sweep")
    assert world.crm_record(ADA)["marketing_tags"] == "golf;vip"
    assert world.holds() == []


def test_B_08_an_option_taken_away_at_the_vendor_holds_its_field_and_not_its_neighbours(world: World) -> None:
    linked(world)
    world.pair("bob", {"firstname": "Bob", "lifecyclestage": "lead"}, {"FNAME": "Bob", "STAGE": "LEAD"})
    world.settle()
    world.mark()
    world.crm.edit("remove_option", field="marketing_tags", value="event")
    marketing_edit(world, tags=["event"], COUNTRY="FR")
    world.marketing.edit("update", email="bob@people.example", fields={"tags": ["vip"], "COUNTRY": "FR"})
    world.at_rest()
    assert world.written("crm") == [("country", "France"), ("country", "France"), ("marketing_tags", "vip")]
    assert [field for field, _ in world.holds()] == ["tags"]


def test_B_08_tags_of_both_sides_that_one_side_refuses_are_united_when_it_takes_them(world: World) -> None:
    """The rest of the record goes on; what the refused write was to tell that side counts as not told."""
    linked(world, {"marketing_tags": "vip;trial"}, {"tags": ["vip", "trial"]})
    world.crm.edit("remove_option", field="marketing_tags", value="event")
    crm_edit(world, marketing_tags="partner;trial;vip")
    marketing_edit(world, tags=["event", "trial", "vip"], LNAME="Byron")
    world.at_rest()
    assert (world.crm_record(ADA)["lastname"], world.crm_record(ADA)["marketing_tags"]) == ("Byron", "partner;trial;vip")
    assert world.member(ADA)["tags"] == ["event", "partner", "trial", "vip"] and [field for field, _ in world.holds()] == ["tags"]
    world.crm.edit("add_option", field="marketing_tags", value="event")
    world.at_rest("sweep")
    assert world.crm_record(ADA)["marketing_tags"] == "event;partner;trial;vip" and world.holds() == []


def test_tags_are_united_and_removals_travel(world: World) -> None:
    linked(world, {"marketing_tags": "vip;trial"}, {"tags": ["vip", "event"]})
    assert world.crm_record(ADA)["marketing_tags"] == "event;trial;vip" and world.member(ADA)["tags"] == ["event", "trial", "vip"]
    world.mark()
    crm_edit(world, marketing_tags="event;vip;partner")
    marketing_edit(world, tags=["trial", "vip", "webinar"])
    world.at_rest()
    assert world.crm_record(ADA)["marketing_tags"] == "partner;vip;webinar"
    assert world.member(ADA)["tags"] == ["partner", "vip", "webinar"]
    assert [name for name, _ in world.written("crm")] == ["marketing_tags"]
    assert [name for name, _ in world.written("marketing")] == ["tags"]


def test_a_stage_moves_forward_from_marketing_and_back_only_from_the_crm(world: World) -> None:
    linked(world, {"lifecyclestage": "salesqualifiedlead"}, {"STAGE": "SQL"})
    marketing_edit(world, STAGE="LEAD")
    world.at_rest()
    assert world.member(ADA)["STAGE"] == "SQL" and world.written("crm") == []
    world.mark()
    crm_edit(world, lifecyclestage="lead")
    world.at_rest()
    assert world.member(ADA)["STAGE"] == "LEAD" and world.written("crm") == []
    marketing_edit(world, STAGE="CUST")
    world.at_rest()
    assert world.crm_record(ADA)["lifecyclestage"] == "customer"


def test_a_one_way_field_edited_at_its_target_is_set_right(world: World) -> None:
    linked(world, {"company": "Halcyon Labs"})
    marketing_edit(world, COMPANY="Somebody Else")
    crm_edit(world, marketing_score="7")
    world.at_rest()
    assert world.written("crm") == [("marketing_score", "40")]
    assert world.written("marketing") == [("COMPANY", "Halcyon Labs")]


def test_two_birthdays_wait_for_a_person_and_their_neighbours_do_not(world: World) -> None:
    linked(world, {"date_of_birth": "1980-02-29"}, {"BDAY": "1980-02-29"})
    crm_edit(world, date_of_birth="1980-03-01", lastname="Byron")
    marketing_edit(world, BDAY="1981-02-28", COUNTRY="FR")
    world.at_rest()
    assert world.written("crm") == [("country", "France")] and world.written("marketing") == [("LNAME", "Byron")]
    assert world.holds() == [("birthday", "Conflict")]
    marketing_edit(world, BDAY="1980-03-01")
    world.at_rest()
    assert world.holds() == []


def test_a_phone_that_is_no_number_is_held_and_never_overwritten(world: World) -> None:
    linked(world, {"phone": "+353 1 555 0101"}, {"PHONE": "01 555 0101"})
    assert world.written("crm") == world.written("marketing") == []
    marketing_edit(world, PHONE="ask Grace", LNAME="Byron")
    world.at_rest()
    assert world.written("crm") == [("lastname", "Byron")] and world.member(ADA)["PHONE"] == "ask Grace"
    assert [field for field, _ in world.holds()] == ["phone"]
    crm_edit(world, phone="+353 1 555 0199")
    world.at_rest()
    assert world.member(ADA)["PHONE"] == "ask Grace"


def test_an_edit_between_our_look_and_our_write_is_not_overwritten(world: World) -> None:
    """The CRM's name is edited again while marketing's older edit of it is on its way: the last edit wins by the rule, none is lost."""
    linked(world)
    marketing_edit(world, LNAME="King")
    planned = world.sync("plan")
    assert planned.status == "planned"
    world.later(3600)
    crm_edit(world, lastname="Byron")
    world.at_rest()
    assert world.crm_record(ADA)["lastname"] == world.member(ADA)["LNAME"] == "Byron"
    assert world.changes("last_name")[-1] == ("newest", "King", "Byron")


def test_text_that_the_vendor_trims_and_html_do_not_echo(world: World) -> None:
    linked(world)
    crm_edit(world, lastname="  O'Brien & Söhne <b>  ", company="Müller  Söhne ")
    world.at_rest()
    assert world.member(ADA)["LNAME"] == "O'Brien & Söhne <b>"
    assert world.crm_record(ADA)["lastname"] == "  O'Brien & Söhne <b>  "
    assert world.written("crm") == []
