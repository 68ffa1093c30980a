"""The marketing twin: credentials, discovery, member pages, filters of fields."""

import hashlib

import pytest
import requests

from sandbox.mailchimp_fields import audience_fields

LIST = "/lists/8c1f00"
MEMBERS = LIST + "/members"
TAGS = list(audience_fields())


def md5(email):
    return hashlib.md5(email.lower().encode()).hexdigest()


def problem(answer):
    assert answer.headers["content-type"].startswith("application/problem+json")
    return answer.status_code, answer.json()["title"]


def test_keys_are_checked_in_the_vendors_shape(twins, mc):
    assert mc.ok("GET", "/")["account_id"] and mc.ok("GET", "/ping")["health_status"]
    bare = requests.get(mc.base + "/ping", timeout=5)
    wrong = requests.get(mc.base + "/ping", auth=("any", "nope"), timeout=5)
    assert (problem(bare), problem(wrong)) == ((401, "API Key Missing"), (401, "API Key Invalid"))
    assert wrong.json().keys() == {"type", "title", "status", "detail", "instance"}


def test_the_audience_and_its_merge_fields(twins, mc):
    assert mc.ok("GET", "/lists", params={"fields": "lists.id,total_items"}) == {"lists": [{"id": "8c1f00"}], "total_items": 1}
    assert mc.ok("GET", LIST)["stats"]["member_count"] == 0
    assert problem(mc("GET", "/lists/other/members")) == (404, "Resource Not Found")
    page = mc.ok("GET", LIST + "/merge-fields", params={"count": 3, "offset": 4})
    told = {f["tag"]: (f["type"], f["options"].get("size"), f["options"].get("choices"), f["required"]) for f in page["merge_fields"]}
    choices = ["LEAD", "MQL", "SQL", "CUST"]
    assert told == {
        "COUNTRY": ("text", 60, None, False), "BDAY": ("date", None, None, False), "STAGE": ("dropdown", None, choices, False)
    }  # fmt: skip
    assert page["total_items"] == 7


def test_a_member_is_found_by_hash_address_or_contact_id(twins, mc):
    twins.mailchimp.edit("create", email="Ann@People.Example", fields={"FNAME": "Ann", "tags": ["vip"]})
    one = mc.ok("GET", f"{MEMBERS}/{md5('ann@people.example')}")
    assert one["id"] == md5("ann@people.example") and one["email_address"] == "Ann@People.Example"
    assert one["merge_fields"] == {tag: "Ann" if tag == "FNAME" else "" for tag in TAGS}  # every tag is shown
    assert one["tags_count"] == 1 and one["tags"][0].keys() == {"id", "name"}
    assert one["last_changed"].endswith("+00:00") and len(one["last_changed"]) == 25
    for ref in ("ann%40people.example", "ann@people.example", one["contact_id"]):
        assert mc.ok("GET", f"{MEMBERS}/{ref}") == one
    assert problem(mc("GET", f"{MEMBERS}/{md5('no@people.example')}")) == (404, "Resource Not Found")


@pytest.fixture
def dozen(twins):
    """Twelve members, changed one second apart in reverse order of age; the last two archived and unsubscribed."""
    twins.mailchimp.clock(now="2026-05-01T10:00:00Z", frozen=True)
    for n in range(12):
        twins.mailchimp.edit("create", email=f"m{n:02d}@people.example")
    for n in reversed(range(12)):
        twins.mailchimp.clock(advance_s=1)
        twins.mailchimp.edit("update", email=f"m{n:02d}@people.example", fields={"FNAME": "x"})
    twins.mailchimp.edit("delete", email="m10@people.example")
    twins.mailchimp.edit("unsubscribe", email="m11@people.example")


def names(mc, **query):
    query = {"count": 1000, **query}
    page = mc.ok("GET", MEMBERS, params={**query, "fields": "members.email_address,total_items"})
    return [m["email_address"][1:3] for m in page["members"]], page["total_items"]


BY_CHANGE = {"sort_field": "last_changed", "sort_dir": "ASC"}


@pytest.mark.parametrize(
    ("query", "found", "total"),
    [
        ({"count": 10}, "00 01 02 03 04 05 06 07 08 09", 11),
        ({"count": 4, "offset": 8}, "08 09 11", 11),
        ({"status": "archived"}, "10", 1),
        ({"status": "unsubscribed"}, "11", 1),
        ({**BY_CHANGE, "count": 3}, "09 08 07", 11),
        ({**BY_CHANGE, "sort_dir": "DESC", "count": 3}, "11 00 01", 11),
        ({**BY_CHANGE, "sort_dir": "DESC", "count": 3, "offset": 9}, "08 09", 11),
        ({**BY_CHANGE, "since_last_changed": "2026-05-01T10:00:10+00:00"}, "01 00 11", 3),  # strictly after
        ({"since_last_changed": "2026-05-01T10:00:10+00:00"}, "00 01 11", 3),
        ({**BY_CHANGE, "since_last_changed": "2026-05-01T10:00:09Z", "before_last_changed": "2026-05-01T12:00:12+02:00"}, "02 01", 2),
        ({"status": "archived", "since_last_changed": "2026-05-01T10:00:12+00:00"}, "", 0),
    ],
)
def test_pages_by_status_window_and_order(dozen, mc, query, found, total):
    assert names(mc, **query) == (found.split(), total)


def test_ten_a_page_unless_told_and_a_thousand_at_most(dozen, mc):
    assert len(mc.ok("GET", MEMBERS)["members"]) == 10
    for query in ({"count": 1001}, {"count": "x"}, {"status": "gone"}, {"sort_dir": "up"}, {"since_last_changed": "lately"}):
        assert problem(mc("GET", MEMBERS, params=query)) == (400, "Invalid Resource")


def test_fields_and_exclude_fields_trim_the_answer(dozen, mc):
    page = mc.ok("GET", MEMBERS, params={"count": 1, "fields": "members.id,members.merge_fields.FNAME,total_items"})
    assert page == {"members": [{"id": md5("m00@people.example"), "merge_fields": {"FNAME": "x"}}], "total_items": 11}
    assert mc.ok("GET", MEMBERS, params={"count": 1, "fields": "total_items"}) == {"total_items": 11}
    assert set(mc.ok("GET", MEMBERS, params={"exclude_fields": "members,total_items"})) == {"list_id"}
    one = mc.ok("GET", f"{MEMBERS}/m00@people.example", params={"exclude_fields": "stats,location.timezone"})
    assert "stats" not in one and "timezone" not in one["location"] and "latitude" in one["location"]
