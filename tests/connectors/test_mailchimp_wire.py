"""Mailchimp on the wire, read: what exactly is asked, and what each of its answers becomes."""

from __future__ import annotations

import pytest
import responses

from connectors.mailchimp import Mailchimp
from connectors.mailchimp_shapes import address_hash
from syncline.cursor import Cursor
from syncline.errors import (
    Unreachable,
    UsageError,
)
from syncline.ports import Settings
from tests.connectors.mailchimp_desk import (
    BASE,
    DATE,
    FIELDS,
    LIST,
    TEN_US,
    mailchimp,
    member,
    problem,
    sent,
    wire,
)

__all__ = ["wire"]


def test_the_key_names_the_host_and_a_base_url_may_end_in_the_version_or_not(wire):
    for base in (None, BASE, BASE.removesuffix("/3.0") + "/"):
        wire.get(f"{BASE}/", json={"account_name": "Ada's Bikes"})
        wire.get(LIST, json={"id": "8c1f00", "name": "Newsletter"})
        assert mailchimp(base_url=base).check().account == "Ada's Bikes, audience Newsletter"


@pytest.mark.parametrize("key", ["", "0123456789abcdef", "0123456789abcdef-"])
def test_a_key_without_its_data_centre_is_a_usage_error_that_does_not_show_it(key):
    with pytest.raises(UsageError, match="data centre") as caught:
        Mailchimp(Settings(secrets={"api_key": key}))
    assert not key or key not in str(caught.value)


def test_a_missing_or_wrong_audience_says_which_there_are(wire):
    wire.get(f"{BASE}/lists", json={"lists": [{"id": "8c1f00", "name": "Newsletter"}]})
    with pytest.raises(UsageError, match=r"8c1f00 \(Newsletter\)"):
        list(mailchimp(audience="").pull("members", FIELDS, None))
    wire.get(f"{BASE}/lists/nope", json=problem("Resource Not Found", "", 404), status=404, content_type="application/problem+json")
    with pytest.raises(UsageError, match="option `audience`"):
        assert mailchimp(audience="nope")._audience_name


def test_unknown_objects_and_keys_are_usage_errors():
    with pytest.raises(UsageError, match="members"):
        mailchimp().pull("campaigns", FIELDS, None)
    with pytest.raises(UsageError, match="email_address"):
        mailchimp().find("members", FIELDS, "merge_fields.PHONE", ["1"])


def test_a_poll_without_news_is_one_call_and_moves_the_cursor_to_the_vendors_time(wire):
    wire.get(f"{LIST}/members", json={"members": [], "total_items": 0}, headers=DATE)
    (page,) = mailchimp().pull("members", FIELDS, Cursor(TEN_US - 3_600_000_000))
    assert (page.records, page.complete) == ([], False)
    assert TEN_US - 1_000_000 <= page.cursor.at_us <= TEN_US
    method, path, query, _ = sent(wire.calls[0])
    assert (method, path, query["count"], query["sort_field"], query["sort_dir"]) == ("GET", "/members", "1000", "last_changed", "ASC")
    assert query["since_last_changed"] == "2026-11-21T08:55:00+00:00", "an hour ago, less the overlap"
    assert "members.merge_fields.FNAME" in query["fields"].split(",") and "members.stats" not in query["fields"]


def test_a_listing_asks_for_all_but_archived_then_archived_then_what_changed_meanwhile(wire):
    grown = {"last_changed": "2026-11-21T09:59:00+00:00"}
    for rows in ([member("a")], [member("b", status="archived")], [member("c", **grown)]):
        wire.get(f"{LIST}/members", json={"members": rows, "total_items": 1}, headers=DATE)
    pages = list(mailchimp().pull("members", FIELDS, None))
    assert [[(r.ref, r.liveness) for r in page.records] for page in pages] == [[("a", "live")], [("b", "archived")], [("c", "live")], []]
    assert [page.complete for page in pages] == [False, False, False, True]
    assert all(page.cursor.token for page in pages[:-1]) and pages[-1].cursor.token is None
    assert [sent(call)[2].get("status") for call in wire.calls] == [None, "archived", None]


def test_a_listing_whose_count_does_not_add_up_is_not_complete(wire):
    for rows, total in ([member("a")], 2), ([], 0), ([], 0):
        wire.get(f"{LIST}/members", json={"members": rows, "total_items": total}, headers=DATE)
    assert [page.complete for page in mailchimp().pull("members", FIELDS, None)][-1] is False


@pytest.mark.parametrize("cursor", [None, Cursor(TEN_US)])
def test_an_empty_page_in_spite_of_announced_members_is_no_news_at_all(wire, cursor):
    wire.get(f"{LIST}/members", json={"members": [], "total_items": 20_000}, headers=DATE)
    with pytest.raises(Unreachable, match="20000 more"):
        list(mailchimp().pull("members", FIELDS, cursor))


def test_what_is_not_shown_is_missing_and_what_is_empty_is_blank(wire):
    shown = member("a", status="archived", tags=[{"id": 1, "name": "zeta"}, {"id": 2, "name": "alpha"}], tags_count=2)
    many = member("b", tags=[{"id": 1, "name": "zeta"}], tags_count=51, timestamp_opt="2026-01-02T03:04:05+00:00")
    for rows, total in ([shown, many], 2), ([], 0), ([], 0):
        wire.get(f"{LIST}/members", json={"members": rows, "total_items": total}, headers=DATE)
    fields = ("tags", "merge_fields.LNAME", "merge_fields.GONE", "status")
    a, b = next(iter(mailchimp().pull("members", fields, None))).records
    assert list(a.fields.items()) == [("tags", ["alpha", "zeta"]), ("merge_fields.LNAME", "")], "archived says nothing of consent"
    assert dict(b.fields) == {"merge_fields.LNAME": "", "status": "subscribed"}, "half a set of tags is no set"
    assert a.proof is None and (b.proof.source, b.proof.at_us) == ("API - Generic", 1_767_323_045_000_000)
    wire.reset()


def test_a_missing_member_is_gone_but_a_missing_audience_is_not_an_exodus(wire):
    wire.get(f"{LIST}/members/a", json=member("a"))
    wire.get(f"{LIST}/members/b", json=problem("Resource Not Found", "", 404), status=404, content_type="application/problem+json")
    wire.get(LIST, json={"id": "8c1f00", "name": "Newsletter"})
    assert {r.ref: r.liveness for r in mailchimp().read("members", FIELDS, ["a", "b"])} == {"a": "live", "b": "gone"}
    wire.replace(responses.GET, LIST, json=problem("Resource Not Found", "", 404), status=404, content_type="application/problem+json")
    with pytest.raises(UsageError, match="no such audience"):
        list(mailchimp().read("members", FIELDS, ["b"]))


def test_find_looks_up_the_hash_of_the_lower_case_address_and_leaves_out_the_archived(wire):
    wire.get(f"{LIST}/members/{address_hash('ada@people.example')}", json=member("a"))
    wire.get(f"{LIST}/members/{address_hash('bob@people.example')}", json=member("b", status="archived"))
    wire.get(f"{LIST}/members/{address_hash('cy@people.example')}", json=problem("Resource Not Found", "", 404), status=404)
    found = mailchimp().find("members", FIELDS, "email_address", ["Ada@People.Example", "bob@people.example", "cy@people.example"])
    assert [record.ref for record in found] == ["a"]


def test_describe_reads_all_merge_fields_and_leaves_out_addresses(wire):
    merges = [
        {"tag": "FNAME", "name": "First Name", "type": "text", "required": True, "options": {"size": 50}},
        {"tag": "STAGE", "name": "Stage", "type": "dropdown", "required": False, "options": {"choices": ["LEAD", "MQL"]}},
        {"tag": "BDAY", "name": "Birthday", "type": "birthday", "required": False, "options": {"date_format": "MM/DD"}},
        {"tag": "ADDRESS", "name": "Address", "type": "address", "required": False, "options": {}},
    ]
    wire.get(f"{LIST}/merge-fields", json={"merge_fields": merges, "total_items": 4})
    fields = mailchimp().describe("members").fields
    assert (fields["merge_fields.FNAME"].type, fields["merge_fields.FNAME"].required, fields["merge_fields.FNAME"].max_length) == (
        "text",
        True,
        50,
    )
    assert (fields["merge_fields.STAGE"].type, fields["merge_fields.STAGE"].options) == ("choice", ("LEAD", "MQL"))
    assert fields["merge_fields.BDAY"].type == "text" and "merge_fields.ADDRESS" not in fields
    assert fields["status"].consent and fields["email_address"].unique and not fields["member_rating"].writable
