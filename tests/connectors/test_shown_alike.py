"""What is hashed and stored of a record changes with its fields, with nothing else, and is the same however the record was read."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot_receipts import receipts_of
from connectors.hubspot_shapes import ANSWER, answer_to, recorder
from connectors.mailchimp_shapes import shape, to_record
from flows.observe import told
from syncline.ports import Change
from syncline.records import Record

PROPERTIES = ("email", "firstname", "city")
MEMBER = ("email_address", "merge_fields.FNAME", "status", "tags", "merge_fields.HOMETOWN")
TEXT = st.sampled_from([None, "", "Ada", "Zoë", "null", "2026-11-21T00:22:44Z"])
SHOWN = st.dictionaries(st.sampled_from(PROPERTIES), TEXT)
MERGED = st.dictionaries(st.sampled_from(["FNAME", "HOMETOWN"]), TEXT)
TAGS = st.lists(st.sampled_from(["vip", "trial", "expo"]), unique=True)
STAMP = "2026-11-21T00:22:44Z"


def contact(properties: dict[str, Any], stamp: str = STAMP) -> Record:
    row = {"id": "1", "properties": {"createdate": STAMP, **properties, "lastmodifieddate": stamp}, "updatedAt": stamp}
    answer = answer_to(PROPERTIES).decode(msgspec.json.encode({"results": [row]}))
    return recorder(PROPERTIES)(answer.results[0])


def member(merged: dict[str, Any], tags: list[str], stamp: str = STAMP) -> dict[str, Any]:
    return {
        "contact_id": "1", "email_address": "ada@people.example", "status": "subscribed", "last_changed": stamp, "source": stamp,
        "merge_fields": merged, "tags": [{"id": number, "name": name} for number, name in enumerate(tags)], "tags_count": len(tags),
    }  # fmt: skip


@given(SHOWN, SHOWN)
def test_contacts_are_told_alike_just_when_their_fields_are(one: dict[str, Any], two: dict[str, Any]) -> None:
    a, b = contact(one), contact(two, "2026-11-22T00:00:00.123Z")
    assert (told(a) == told(b)) is (dict(a.fields) == dict(b.fields)) is (one == two)
    assert list(a.fields) == [name for name in PROPERTIES if name in one]


@given(SHOWN)
def test_the_echo_of_a_contact_is_told_as_a_later_look_is(properties: dict[str, Any]) -> None:
    row = {"id": "1", "properties": {"hs_object_id": "1", **properties}, "updatedAt": STAMP}
    answer = ANSWER.decode(msgspec.json.encode({"results": [row]}))
    (receipt,) = receipts_of(answer, [Change("k", "update", "1")], PROPERTIES)
    assert receipt.record is not None
    assert (told(receipt.record), receipt.record.fields) == (told(contact(properties)), contact(properties).fields)


@given(MERGED, TAGS, MERGED, TAGS)
def test_members_are_told_alike_just_when_their_fields_are(
    one: dict[str, Any], tags: list[str], two: dict[str, Any], others: list[str]
) -> None:
    a, b = to_record(member(one, tags), MEMBER), to_record(member(two, others, "2026-11-22T00:00:00+00:00"), MEMBER)
    assert (told(a) == told(b)) is (dict(a.fields) == dict(b.fields)) is ((one, sorted(tags)) == (two, sorted(others)))
    assert list(a.fields) == [name for name in MEMBER if not name.startswith("merge_fields.") or name.removeprefix("merge_fields.") in one]


@given(MERGED, TAGS)
def test_a_member_alone_and_in_a_page_is_the_same(merged: dict[str, Any], tags: list[str]) -> None:
    made = shape(MEMBER)
    page = made.page.decode(msgspec.json.encode({"members": [member(merged, tags)], "total_items": 1}))
    alone, among = to_record(member(merged, tags), MEMBER), made.record(page.members[0])
    assert (alone, told(alone)) == (among, told(among))


def test_of_more_tags_than_are_shown_nothing_is_said() -> None:
    some = {**member({}, ["vip"]), "tags_count": 51}
    assert "tags" not in to_record(some, MEMBER).fields


def test_fields_that_every_answer_holds_may_be_asked_for_too() -> None:
    asked = ("source", "contact_id", "last_changed", "vip")
    assert to_record(member({}, []), asked).fields == {"source": STAMP, "contact_id": "1", "last_changed": STAMP}
    stamped = ("lastmodifieddate", "email")
    row = {"id": "1", "properties": {"email": "ada@people.example", "lastmodifieddate": STAMP}}
    shown = recorder(stamped)(answer_to(stamped).decode(msgspec.json.encode({"results": [row]})).results[0])
    assert shown.fields == {"lastmodifieddate": STAMP, "email": "ada@people.example"} and shown.modified_us
