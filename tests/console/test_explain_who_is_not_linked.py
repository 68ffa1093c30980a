"""explain of those who are nobody's partner, or no longer anybody: a record alone, a contact merged into another, a person erased."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from console.opener import open_sync
from sandbox.handles import Twins
from tests.console.conftest import Command, make_person

ZED = "zed@people.example"


def test_whom_the_mapping_leaves_alone(pair: str, twins: Twins, syncline: Command) -> None:
    twins.mailchimp.edit("create", email=ZED, fields={"FNAME": "Zed"}, status="unsubscribed")
    assert syncline("plan").code == 0
    [seen] = syncline("explain", ZED, "--json").json["records"]
    assert (seen["side"], seen["why"]) == ("marketing", "is decided by the next run")
    assert syncline("sync").code == 0
    said = syncline("explain", ZED.upper())
    assert said.code == 0
    assert "A record of marketing that is linked with nobody" in said.out and "scope and policy.create" in said.out
    assert syncline("log", "--contact", ZED).code == 2, "the log knows contacts alone"


def test_a_duplicate_that_waits_is_shown_beside_the_contact_that_has_its_address(connected: None, twins: Twins, syncline: Command) -> None:
    one, other = "andr\u00e9@people.example", "andre\u0301@people.example"
    make_person(twins, one)
    assert syncline("sync").code == 0
    twins.mailchimp.edit("create", email=other, fields={"FNAME": "Other", "STAGE": "CUST"})
    assert syncline("sync").code == 1
    told = syncline("explain", one, "--json").json
    assert [contact["contact"] for contact in told["contacts"]] == [1]
    assert [(record["side"], record["holds"][0]["code"]) for record in told["records"]] == [("marketing", "Ambiguous")]
    assert re.search(r"Contact 1, active.*A record of marketing that is linked with nobody.*Ambiguous", syncline("explain", one).out, re.S)


def test_who_waits_alone_says_for_what(connected: None, twins: Twins, syncline: Command) -> None:
    mapping = Path("mapping.yaml")
    mapping.write_text(mapping.read_text().replace("last_name:  {crm: lastname,", "last_name:  {required_in: marketing, crm: lastname,"))
    twins.hubspot.edit("create", fields={"email": ZED, "firstname": "Zed"})
    assert syncline("sync").code == 1
    [record] = syncline("explain", ZED, "--json").json["records"]
    assert (record["side"], record["why"], [hold["code"] for hold in record["holds"]]) == ("crm", "waits for a person", ["Required"])
    assert "marketing requires last_name, and the CRM has none  [Required]" in syncline("explain", ZED).out


def test_who_was_merged_into_another_says_into_whom(pair: str, twins: Twins, syncline: Command) -> None:
    make_person(twins, "bob@people.example")
    assert syncline("sync").code == 0
    of = {record["email"]: record["id"] for record in twins.hubspot.records()}
    twins.hubspot.edit("merge", winner=of["bob@people.example"], loser=of[pair])
    assert syncline("sync").code == 0
    said = syncline("explain", pair)
    assert said.code == 0 and "Contact 1, merged into contact 2: explain that one" in said.out
    assert syncline("explain", pair, "--json").json["contacts"][0]["merged_into"] == 2


def test_who_was_erased_has_no_table_of_blanks(pair: str, syncline: Command) -> None:
    with open_sync("mapping.yaml") as opened:
        assert opened.sync.erase(1, None, time.time_ns() // 1000)
    said = syncline("explain", "1")
    assert said.code == 0
    assert "Contact 1, erased: no value of this person is kept" in said.out and "first_name" not in said.out
    assert syncline("explain", pair).code == 2


@pytest.mark.parametrize("command", [("explain", "nobody@people.example"), ("log", "--contact", "nobody@people.example")])
def test_an_empty_database_knows_nobody(project: None, syncline: Command, command: tuple[str, ...]) -> None:
    said = syncline(*command)
    assert (said.code, said.out) == (2, "")
