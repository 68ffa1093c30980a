"""Mailchimp on the wire, written: what exactly is sent, and what each of its answers becomes."""

from __future__ import annotations

import json

import pytest
import responses
from requests import ConnectionError as NoAnswer

from connectors.mailchimp_shapes import address_hash
from syncline.errors import (
    AlreadyExists,
    AuthFailed,
    ConsentRefused,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Stale,
    Vanished,
)
from syncline.ports import Change
from tests.connectors.mailchimp_desk import (
    BASE,
    FIELDS,
    KEY,
    LIST,
    answer_batch,
    consent,
    create,
    mailchimp,
    member,
    problem,
    sent,
    update,
    wire,
)

__all__ = ["wire"]


def test_a_create_brings_its_consent_and_without_any_nobody_is_subscribed(wire):
    answer_batch(wire, new=[member("a", email_address="Ada@people.example"), member("b", email_address="bob@people.example")])
    receipts = list(mailchimp().push("members", FIELDS, [create("ada", status="pending"), create("bob")]))
    assert [(r.key, r.ref, r.record.fields["merge_fields.FNAME"], r.error) for r in receipts] == [
        ("k-ada", "a", "Ada", None),
        ("k-bob", "b", "Ada", None),
    ]
    body = sent(wire.calls[0])[3]
    assert (body["update_existing"], body["sync_tags"]) == (False, False)
    assert [m["status"] for m in body["members"]] == ["pending", "transactional"]


def test_updates_carry_no_status_and_only_updates_of_tags_travel_with_sync_tags(wire):
    answer_batch(wire, updated=[member("a")])
    answer_batch(wire, updated=[member("b")])
    changes = [update("a", merge_fields__FNAME=None, vip=True, status="subscribed"), update("b", tags=["vip"])]
    assert [r.error for r in mailchimp().push("members", FIELDS, changes)] == [None, None]
    plain, tagged = (sent(call)[3] for call in wire.calls)
    assert plain["members"] == [{"vip": True, "merge_fields": {"FNAME": ""}, "email_address": "a@people.example"}]
    assert tagged["members"] == [{"tags": ["vip"], "email_address": "b@people.example"}]
    assert [(body["update_existing"], body["sync_tags"]) for body in (plain, tagged)] == [(True, False), (True, True)]


def test_one_address_twice_makes_two_batches(wire):
    answer_batch(wire, new=[member("a", email_address="ada@people.example")])
    taken = {
        "email_address": "ada@people.example",
        "error": "ada@people.example is taken",
        "error_code": "ERROR_CONTACT_EXISTS",
        "field": "",
    }
    answer_batch(wire, errors=[taken])
    wire.get(f"{LIST}/members/{address_hash('ada@people.example')}", json=member("a"))
    again = Change("k-again", "create", None, {"email_address": "ADA@people.example"})
    first, second = mailchimp().push("members", FIELDS, [create("ada"), again])
    assert (first.ref, first.error, second.ref) == ("a", None, "a")
    assert isinstance(second.error, AlreadyExists) and second.error.ref == "a"
    assert [len(sent(call)[3]["members"]) for call in list(wire.calls)[:2]] == [1, 1]


def test_an_update_that_met_nobody_or_somebody_else_says_so(wire):
    named = [{"email_address": f"{ref}@people.example", "error": "status?", "error_code": "ERROR_GENERIC", "field": ""} for ref in "abc"]
    answer_batch(wire, errors=named)
    wire.get(f"{LIST}/members/a", json=problem("Resource Not Found", "", 404), status=404, content_type="application/problem+json")
    wire.get(f"{LIST}/members/b", json=member("b", email_address="b.new@people.example"))
    wire.get(f"{LIST}/members/c", json=member("c"))
    receipts = mailchimp().push("members", FIELDS, [update(ref, merge_fields__FNAME="X") for ref in "abc"])
    assert [type(r.error) for r in receipts] == [Vanished, Stale, Rejected]


def test_one_refused_member_spoils_no_other_and_its_address_stays_out_of_the_message(wire):
    texts = {
        "bob": ("bob@people.example is already in a compliance state and cannot be subscribed.", ""),
        "cy": ("cy@people.example was permanently deleted and cannot be re-imported.", ""),
        "dee": ("dee@people.example: value must be one of LEAD, MQL", "STAGE"),
    }
    errors = [
        {"email_address": f"{n}@people.example", "error": t, "error_code": "ERROR_GENERIC", "field": f} for n, (t, f) in texts.items()
    ]
    answer_batch(wire, new=[member("a", email_address="ada@people.example")], errors=errors)
    receipts = {r.key: r for r in mailchimp().push("members", FIELDS, [create(n) for n in ("ada", "bob", "cy", "dee", "eve")])}
    assert receipts["k-ada"].error is None
    assert [type(receipts[f"k-{n}"].error) for n in ("bob", "cy", "dee", "eve")] == [
        ConsentRefused,
        ConsentRefused,
        Rejected,
        OutcomeUnknown,
    ]
    assert receipts["k-dee"].error.field == "merge_fields.STAGE" and "dee@" in receipts["k-dee"].error.detail
    assert not any("people.example" in str(r.error) for r in receipts.values())


def test_a_batch_refused_as_a_whole_is_halved_until_the_culprit_stands_alone(wire):
    def judge(request):
        members = json.loads(request.body)["members"]
        if any(m["email_address"].startswith("bad") for m in members):
            return (
                400,
                {"Content-Type": "application/problem+json"},
                json.dumps(problem("Invalid Resource", "bad@people.example looks fake")),
            )
        new = [member(m["email_address"][:3], email_address=m["email_address"]) for m in members]
        return 200, {}, json.dumps({"new_members": new, "updated_members": [], "errors": []})

    wire.add_callback(responses.POST, LIST, judge, content_type="application/json")
    receipts = list(mailchimp().push("members", FIELDS, [create(n) for n in ("ada", "bob", "bad", "cyd", "dee")]))
    assert {r.key: type(r.error) for r in receipts if r.error} == {"k-bad": Rejected}
    assert len(receipts) == 5


@pytest.mark.parametrize("broken", [NoAnswer("cut"), 500])
def test_a_batch_without_an_answer_is_unknown_for_each_change_and_is_not_sent_again(wire, broken):
    body = {"body": broken} if isinstance(broken, Exception) else {"status": broken, "json": problem("Internal Server Error", "", 500)}
    wire.post(LIST, **body)
    receipts = list(mailchimp().push("members", FIELDS, [create("ada"), create("bob")]))
    assert [type(r.error) for r in receipts] == [OutcomeUnknown, OutcomeUnknown]
    assert len(wire.calls) == 1


def test_consent_goes_alone_and_a_refusal_is_the_persons_to_lift(wire):
    refused = problem("Member In Compliance State", "a@people.example is already in a compliance state")
    wire.get(f"{LIST}/members/a", json=member("a", status="cleaned"))
    wire.patch(f"{LIST}/members/a", json=refused, status=400, content_type="application/problem+json")
    wire.get(f"{LIST}/members/b", json=member("b"))
    wire.patch(f"{LIST}/members/b", json=member("b", status="unsubscribed"))
    a, b = mailchimp().push("members", FIELDS, [consent("a", "subscribed"), consent("b", "unsubscribed")])
    assert isinstance(a.error, ConsentRefused) and "people.example" not in str(a.error)
    assert b.record.fields["status"] == "unsubscribed"
    assert {path: body for method, path, _, body in map(sent, wire.calls) if method == "PATCH"} == {
        "/members/a": {"status": "subscribed"},
        "/members/b": {"status": "unsubscribed"},
    }


def test_consent_revives_no_archived_member_and_is_not_written_twice(wire):
    wire.get(f"{LIST}/members/a", json=member("a", status="archived"))
    wire.get(f"{LIST}/members/b", json=member("b", status="unsubscribed"))
    a, b = mailchimp().push("members", FIELDS, [consent("a", "unsubscribed"), consent("b", "unsubscribed")])
    assert isinstance(a.error, Vanished) and b.record.fields["status"] == "unsubscribed"


def test_a_new_address_is_written_to_the_member_itself_and_tags_follow(wire):
    wire.patch(f"{LIST}/members/a", json=member("a", email_address="new@people.example"))
    answer_batch(wire, updated=[member("a", email_address="new@people.example", tags=[{"id": 1, "name": "vip"}], tags_count=1)])
    (receipt,) = mailchimp().push("members", FIELDS, [update("a", email_address="new@people.example", tags=["vip"])])
    assert receipt.error is None and receipt.record.fields["tags"] == ["vip"]
    patched, tagged = (sent(call)[3] for call in wire.calls)
    assert patched == {"email_address": "new@people.example"}
    assert tagged == {"members": [{"email_address": "new@people.example", "tags": ["vip"]}], "update_existing": True, "sync_tags": True}


def test_a_new_address_whose_tags_could_not_follow_must_be_read_again(wire):
    wire.patch(f"{LIST}/members/a", json=member("a", email_address="new@people.example"))
    wire.post(LIST, json=problem("API Key Invalid", "", 401), status=401, content_type="application/problem+json")
    (receipt,) = mailchimp().push("members", FIELDS, [update("a", email_address="new@people.example", tags=["vip"])])
    assert isinstance(receipt.error, OutcomeUnknown)


def test_an_address_of_somebody_else_is_a_refusal_of_that_field(wire):
    taken = problem("Member Exists", "new@people.example is already a list member.")
    wire.patch(f"{LIST}/members/a", json=taken, status=400, content_type="application/problem+json")
    (receipt,) = mailchimp().push("members", FIELDS, [update("a", email_address="new@people.example")])
    assert isinstance(receipt.error, Rejected) and receipt.error.field == "email_address"


def test_an_echo_of_another_member_is_an_error(wire):
    answer_batch(wire, updated=[member("z", email_address="a@people.example")])
    (receipt,) = mailchimp().push("members", FIELDS, [update("a", merge_fields__FNAME="Ada")])
    assert isinstance(receipt.error, Vanished) and receipt.record is None


def test_restore_brings_back_the_archived_alone_and_subscribes_nobody_unasked(wire):
    wire.get(f"{LIST}/members/a", json=member("a", status="archived"))
    wire.put(f"{LIST}/members/a", json=member("a", status="transactional"))
    wire.get(f"{LIST}/members/b", json=member("b"))
    wire.get(f"{LIST}/members/c", json=problem("Resource Not Found", "", 404), status=404, content_type="application/problem+json")
    receipts = {r.key: r for r in mailchimp().push("members", FIELDS, [update(ref, kind="restore") for ref in "abc"])}
    assert receipts["k-a"].record.liveness == "live" and receipts["k-b"].record.fields["status"] == "subscribed"
    assert isinstance(receipts["k-c"].error, Vanished)
    (put,) = (body for method, _, _, body in map(sent, wire.calls) if method == "PUT")
    assert put == {"email_address": "a@people.example", "status": "transactional", "status_if_new": "transactional"}


def test_archiving_has_no_echo_and_may_be_refused(wire):
    wire.delete(f"{LIST}/members/a", status=204)
    wire.delete(f"{LIST}/members/b", json=problem("Method Not Allowed", "b@people.example cannot be removed", 405), status=405)
    a, b = mailchimp().push("members", FIELDS, [update("a", kind="archive"), update("b", kind="archive")])
    assert (a.ref, a.record, a.error) == ("a", None, None)
    assert isinstance(b.error, Rejected) and "people.example" not in str(b.error)


def test_what_stops_everything_is_raised_after_the_receipts_of_what_was_done(wire):
    wire.get(f"{LIST}/members/a", json=member("a", status="unsubscribed"))
    wire.get(f"{LIST}/members/b", json=problem("API Key Invalid", "", 401), status=401, content_type="application/problem+json")
    receipts = mailchimp().push("members", FIELDS, [consent("a", "unsubscribed"), consent("b", "unsubscribed")])
    assert next(receipts).key == "k-a"
    with pytest.raises(AuthFailed) as caught:
        next(receipts)
    assert KEY not in str(caught.value)


def test_a_403_that_is_no_json_is_throttling_and_one_that_is_is_not(wire, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    wire.get(f"{BASE}/", body="<html>Access denied</html>", status=403, content_type="text/html")
    with pytest.raises(RateLimited):
        mailchimp().check()
