"""The demo's oracle sees every kind of difference, and nothing where two systems only spell the same thing in their own way."""

from __future__ import annotations

from typing import Any

import pytest

from console.demo_oracle import Verdict, judge, refusals

PERSON = {
    "id": "1", "state": "live", "email": "ana@people.example", "firstname": "José", "lastname": "O'Brien", "phone": "01 555 0100",
    "company": "Blue Fjord", "country": "Ireland", "date_of_birth": "1990-05-01", "marketing_score": "60", "lifecyclestage": "opportunity",
    "hs_email_optout": "", "email_status": "ok", "marketing_tags": "vip;trial",
}  # fmt: skip
MEMBER = {
    "id": "a", "state": "live", "email_address": "Ana@People.example", "FNAME": "jose\u0301", "LNAME": "O'Brien",
    "PHONE": "+353 1 555-0100", "COMPANY": "Blue Fjord", "COUNTRY": "IE", "BDAY": "1990-05-01", "member_rating": 3, "STAGE": "SQL",
    "status": "subscribed",
    "tags": ["trial", "vip"],
}  # fmt: skip


def nothing_waits(_crm_id: str, _field: str) -> bool:
    return False


def verdict(crm: dict[str, Any] | None = None, marketing: dict[str, Any] | None = None) -> Verdict:
    return judge([PERSON | (crm or {})], [MEMBER | (marketing or {})], nothing_waits)


def test_the_same_person_in_two_spellings_is_in_step() -> None:
    assert verdict() == Verdict(1, (), (), 0)


@pytest.mark.parametrize(
    ("crm", "marketing"),
    [
        ({"firstname": "M" * 60}, {"FNAME": "M" * 50}),
        ({"company": ""}, {}),
        ({"phone": "0035315550100"}, {}),
        ({"country": "UK"}, {"COUNTRY": "GB"}),
        ({"hs_email_optout": "true"}, {"status": "unsubscribed"}),
        ({"email_status": "bounced"}, {"status": "cleaned"}),
        ({"is_test": "true", "firstname": "Test"}, {}),
    ],
)
def test_what_the_mapping_allows_is_no_difference(crm: dict[str, Any], marketing: dict[str, Any]) -> None:
    assert verdict(crm, marketing).unexplained == ()


@pytest.mark.parametrize(
    ("crm", "marketing", "field"),
    [
        ({"firstname": "Joseph"}, {}, "first_name"),
        ({}, {"FNAME": ""}, "first_name"),
        ({}, {"LNAME": "Brien"}, "last_name"),
        ({"phone": "+44 1 555 0100"}, {}, "phone"),
        ({"company": "Kestrel"}, {}, "company"),
        ({"country": "France"}, {}, "country"),
        ({"date_of_birth": "1990-01-05"}, {}, "birthday"),
        ({"marketing_score": "61"}, {}, "score"),
        ({"lifecyclestage": "customer"}, {}, "stage"),
        ({"lifecyclestage": "other"}, {}, "stage"),
        ({"hs_email_optout": "true"}, {}, "consent"),
        ({}, {"status": "unsubscribed"}, "consent"),
        ({"email_status": ""}, {}, "deliverability"),
        ({"marketing_tags": "vip"}, {}, "tags"),
    ],
)
def test_every_field_that_differs_is_seen(crm: dict[str, Any], marketing: dict[str, Any], field: str) -> None:
    assert [difference.field for difference in verdict(crm, marketing).unexplained] == [field]


@pytest.mark.parametrize(
    ("crm", "marketing", "text"),
    [
        ([PERSON], [], "in the CRM and not in marketing"),
        ([PERSON], [MEMBER | {"state": "archived"}], "in the CRM and not in marketing"),
        ([], [MEMBER], "qualified in marketing and not in the CRM"),
        ([PERSON | {"state": "archived"}], [MEMBER | {"STAGE": "LEAD"}], "archived in the CRM and still live in marketing"),
        ([PERSON | {"state": "merged"}], [MEMBER | {"STAGE": ""}], "merged in the CRM and still live in marketing"),
    ],
)
def test_records_that_are_missing_or_should_be_gone_are_seen(crm: list[Any], marketing: list[Any], text: str) -> None:
    assert [difference.text for difference in judge(crm, marketing, nothing_waits).unexplained] == [text]


@pytest.mark.parametrize(("crm", "marketing"), [([PERSON | {"hs_email_optout": "true"}], []), ([], [MEMBER | {"STAGE": "LEAD"}])])
def test_whom_the_policy_keeps_to_one_side_is_no_difference(crm: list[Any], marketing: list[Any]) -> None:
    assert judge(crm, marketing, nothing_waits).unexplained == ()


def test_a_hold_explains_its_own_field_of_its_own_person_and_no_other() -> None:
    crm, marketing = [PERSON | {"firstname": "Joseph", "lastname": "Byrne"}], [MEMBER]
    found = judge(crm, marketing, lambda crm_id, field: (crm_id, field) == ("1", "last_name"))
    assert [d.field for d in found.held] == ["last_name"]
    assert [d.field for d in found.unexplained] == ["first_name"]
    assert judge(crm, marketing, lambda crm_id, field: field == "").unexplained == ()


def test_a_blank_is_left_alone_only_where_somebody_made_it() -> None:
    crm, marketing = [PERSON], [MEMBER | {"FNAME": "", "LNAME": ""}]
    found = judge(crm, marketing, nothing_waits, frozenset({("ana@people.example", "first_name")}))
    assert (found.left_blank, [d.field for d in found.unexplained]) == (1, ["last_name"])


@pytest.mark.parametrize(
    ("crm", "marketing"), [({"hs_email_optout": "true"}, {}), ({}, {"status": "unsubscribed"}), ({}, {"status": "cleaned"})]
)
@pytest.mark.parametrize("now", ["subscribed", "pending"])
def test_a_no_that_became_a_yes_is_seen_though_both_sides_agree(crm: dict[str, Any], marketing: dict[str, Any], now: str) -> None:
    refused = refusals([PERSON | crm], [MEMBER | marketing])
    found = judge([PERSON], [MEMBER | {"status": now}], nothing_waits, refused=refused)
    assert [(d.field, d.crm_id) for d in found.unexplained] == [("consent", "1")]


def test_a_no_that_stays_a_no_is_in_step() -> None:
    crm, marketing = [PERSON | {"hs_email_optout": "true"}], [MEMBER | {"status": "unsubscribed"}]
    assert judge(crm, marketing, nothing_waits, refused=refusals(crm, marketing)).unexplained == ()
    assert refusals([PERSON], [MEMBER]) == frozenset()
