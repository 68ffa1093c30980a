"""Mapping and configuration that change under a running sync, end to end (G-01, G-04)."""

from __future__ import annotations

from collections import Counter

import pytest

from connectors.hubspot import HubSpot
from syncline.errors import GuardTripped
from tests.e2e.world import World

ADA = "ada@people.example"


def in_step(world: World, count: int) -> list[str]:
    emails = []
    for n in range(count):
        emails.append(world.pair(f"p{n:03d}", {"firstname": f"P{n}", "company": f"Firm {n}", "jobtitle": f"Job {n}"}, {"FNAME": f"P{n}"}))
    world.settle()
    world.mark()
    return emails


REMAP = ("company: {crm: company,", "company: {crm: jobtitle,")


def test_G_01_a_remapped_field_is_shown_first_stopped_by_its_limit_and_then_merged_without_a_base(world: World) -> None:
    emails = in_step(world, 12)
    assert world.member(emails[0])["COMPANY"] == "Firm 0"
    world.edit_mapping(REMAP)
    plan = world.sync("plan")
    assert (plan.status, plan.totals["overwrites"], plan.exit_code) == ("planned", 12, 0)
    assert (world.written("crm"), world.written("marketing")) == ([], [])
    report = world.sync()
    assert isinstance(report.error, GuardTripped)
    assert (world.written("crm"), world.written("marketing")) == ([], [])
    assert world.sync(approve=report.run_id).error is None
    assert world.member(emails[0])["COMPANY"] == "Job 0"
    assert Counter(field for field, _ in world.written("marketing")) == {"COMPANY": 12}, "and nothing else"
    assert world.written("crm") == []
    world.at_rest("sweep")


def test_G_01_the_old_base_is_not_compared_with_the_new_field(world: World) -> None:
    """Under the old mapping only marketing changed; under the new one nobody knows, and both values are weighed by the rule."""
    world.pair("ada", {"firstname": "Ada", "jobtitle": "Countess"}, {"FNAME": "Ada"})
    world.settle()
    world.later(600)
    world.marketing.edit("update", email=ADA, fields={"FNAME": "Augusta"})
    world.later(600)
    world.crm.edit("update", email=ADA, fields={"lastname": "Byron"})
    world.edit_mapping(("first_name: {crm: firstname, ", "first_name: {crm: jobtitle, "))
    world.at_rest()
    assert (world.crm_record(ADA)["jobtitle"], world.member(ADA)["FNAME"]) == ("Countess", "Countess"), "the newest record wins"
    assert world.crm_record(ADA)["firstname"] == "Ada"
    rules = [rule for rule, old, new in world.changes("first_name") if new == "Countess"]
    assert rules == ["newest"]


def test_G_01_looking_at_a_new_mapping_and_taking_it_back_loses_no_edit(world: World) -> None:
    world.pair("ada", {"firstname": "Ada", "company": "Firm"}, {"FNAME": "Ada"})
    world.settle()
    plain = world.mapping
    world.marketing.edit("update", email=ADA, fields={"LNAME": "Byron"})
    world.crm.edit("update", email=ADA, fields={"country": "Ireland"})
    world.edit_mapping(REMAP)
    world.sync("plan")
    world.mapping = plain
    world.at_rest()
    assert (world.crm_record(ADA)["lastname"], world.member(ADA)["COUNTRY"], world.member(ADA)["COMPANY"]) == ("Byron", "IE", "Firm")


def test_G_04_a_renamed_label_moves_nothing_and_an_unknown_value_holds_its_field_alone(world: World) -> None:
    world.pair("ada", {"firstname": "Ada", "lifecyclestage": "salesqualifiedlead"}, {"FNAME": "Ada", "STAGE": "SQL"})
    world.settle()
    world.mark()
    stages = world.crm.vendor.state.table["lifecyclestage"]
    label, stages.label = stages.label, "Where they stand"
    world.at_rest("sweep")
    assert (world.written("crm"), world.written("marketing")) == ([], [])
    world.crm.edit("add_option", field="lifecyclestage", value="fan")
    world.crm.edit("update", email=ADA, fields={"lifecyclestage": "fan", "firstname": "Ada Maria"})
    report = world.sync()
    assert (report.status, report.exit_code) == ("held", 1)
    assert world.written("marketing") == [("FNAME", "Ada Maria")]
    assert world.holds() == [("stage", "UnknownChoice")]
    world.at_rest("sweep")
    assert (world.member(ADA)["STAGE"], world.crm_record(ADA)["lifecyclestage"]) == ("SQL", "fan"), "no nearest match is guessed"
    world.edit_mapping(("customer: [[customer, evangelist], CUST]", "customer: [[customer, evangelist, fan], CUST]"))
    world.at_rest()
    assert (world.member(ADA)["STAGE"], world.crm_record(ADA)["lifecyclestage"]) == ("CUST", "fan")
    assert world.holds() == []
    stages.label = label


def test_a_write_that_was_left_over_of_a_field_that_has_left_the_mapping_is_not_told_as_applied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run dies before the vendor is reached, and the mapping is edited: nobody can tell any more, and the log does not pretend."""
    world.pair("ada", {"firstname": "Ada"}, {"FNAME": "Ada"})
    world.settle()
    world.mark()
    world.marketing.edit("update", email=ADA, fields={"LNAME": "Byron", "COUNTRY": "FR"})

    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(HubSpot, "push", die)
        world.sync()
    world.edit_mapping(("  last_name:  {crm: lastname,  marketing: merge_fields.LNAME, transform: {marketing: {text: {max: 50}}}}\n", ""))
    world.shift_s = 3600
    report = world.sync()
    assert (report.pushed.moved, report.pushed.applied) == (1, 1), "what is left is decided again in the same round"
    assert [row.result for row in world.log(field="last_name")] == ["moved"]
    world.at_rest()
    assert world.written("crm") == [("country", "France")]
