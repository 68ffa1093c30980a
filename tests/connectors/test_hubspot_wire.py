"""HubSpot answers that the twin does not give, on the wire."""

import json
from itertools import pairwise
from typing import Any

import pytest
import requests
import responses

from connectors.hubspot import HubSpot
from connectors.hubspot_writes import _batches
from syncline.cursor import Cursor
from syncline.errors import AlreadyExists, AuthFailed, OutcomeUnknown, RateLimited, Rejected
from syncline.ports import Change, Receipt, Settings
from syncline.records import Record

HOST = "https://api.hubapi.com"
CONTACTS = f"{HOST}/crm/v3/objects/contacts"
FIELDS = ("email", "firstname")
ANN = {"id": "1", "properties": {"email": "ann@people.example", "firstname": "Ann"}, "updatedAt": "2026-01-01T00:00:01Z"}


@pytest.fixture
def wire() -> Any:
    with responses.RequestsMock() as wire:
        yield wire


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.fixture
def hubspot() -> HubSpot:
    return HubSpot(Settings(secrets={"token": "pat-very-secret"}))


def push(hubspot: HubSpot, *changes: Change) -> dict[str, Receipt]:
    return {receipt.key: receipt for receipt in hubspot.push("contacts", FIELDS, changes)}


def sent(wire: Any) -> list[Any]:
    return [json.loads(call.request.body) for call in wire.calls]


@pytest.mark.parametrize(
    ("policy", "headers", "waited"),
    [("SECONDLY", {}, [1.0]), ("TEN_SECONDLY_ROLLING", {"Retry-After": "4"}, [4.0]), ("SECONDLY", {"Retry-After": "2"}, [2.0])],
)
def test_a_throttled_call_waits_as_its_policy_says(
    wire: Any, hubspot: HubSpot, slept: list[float], policy: str, headers: Any, waited: Any
) -> None:
    wire.post(f"{CONTACTS}/search", json={"policyName": policy}, status=429, headers=headers)
    wire.post(f"{CONTACTS}/search", json={"total": 0, "results": []})
    assert len(list(hubspot.pull("contacts", FIELDS, Cursor(0)))) == 1
    assert slept == waited


def test_the_days_calls_used_up_end_the_run(wire: Any, hubspot: HubSpot, slept: list[float]) -> None:
    wire.post(f"{CONTACTS}/search", json={"policyName": "DAILY"}, status=429)
    with pytest.raises(RateLimited) as caught:
        list(hubspot.pull("contacts", FIELDS, Cursor(0)))
    assert (caught.value.after_s, slept) == (3600.0, [])


def test_a_locked_record_is_tried_again(wire: Any, hubspot: HubSpot, slept: list[float]) -> None:
    wire.post(f"{CONTACTS}/batch/update", status=423, json={"message": "locked"})
    wire.post(f"{CONTACTS}/batch/update", json={"results": [ANN]})
    assert push(hubspot, Change("k", "update", "1", {"firstname": "Ann"}))["k"].error is None
    assert slept == [2.0]


def test_a_token_nobody_knows(wire: Any, hubspot: HubSpot) -> None:
    wire.post(f"{HOST}/oauth/v2/private-apps/get/access-token-info", status=404, json={"message": "no token pat-very-secret"})
    with pytest.raises(AuthFailed) as caught:
        hubspot.check()
    assert "pat-very" not in f"{caught.value} {caught.value.detail} {hubspot!r} {hubspot.door!r}"


def test_a_poll_asks_in_the_vendors_words(wire: Any, hubspot: HubSpot) -> None:
    wire.post(f"{CONTACTS}/search", json={"total": 1, "results": [ANN]}, headers={"Date": "Thu, 01 Jan 2026 00:10:00 GMT"})
    (page,) = hubspot.pull("contacts", FIELDS, Cursor(1_767_225_720_000_000))
    assert sent(wire) == [
        {
            "filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1767225600000"}]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": ["email", "firstname", "lastmodifieddate", "hs_merged_object_ids"],
            "limit": 200,
        }
    ]
    assert page.records == [Record("1", {"email": "ann@people.example", "firstname": "Ann"}, modified_us=1_767_225_601_000_000)]
    assert 0 <= 1_767_226_200_000_000 - page.cursor.at_us < 1_000_000


def test_an_empty_page_that_is_not_the_last_is_walked_past(wire: Any, hubspot: HubSpot) -> None:
    wire.post(f"{CONTACTS}/search", json={"total": 201, "results": [], "paging": {"next": {"after": "200"}}})
    wire.post(f"{CONTACTS}/search", json={"total": 201, "results": [ANN]})
    pages = list(hubspot.pull("contacts", FIELDS, Cursor(0)))
    assert [len(page.records) for page in pages] == [0, 1]
    assert sent(wire)[1]["after"] == "200"


def test_read_follows_a_merge(wire: Any, hubspot: HubSpot) -> None:
    merged = {"id": "9", "properties": {**ANN["properties"], "hs_merged_object_ids": "1;2"}, "updatedAt": ANN["updatedAt"]}  # type: ignore[dict-item]
    lost = {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["3"]}}
    wire.post(f"{CONTACTS}/batch/read", json={"results": [merged], "errors": [lost], "numErrors": 1}, status=207)
    records = {r.ref: r for r in hubspot.read("contacts", FIELDS, ["1", "3", "9"])}
    assert {ref: (r.liveness, r.merged_into) for ref, r in records.items()} == {
        "1": ("merged", "9"),
        "3": ("gone", None),
        "9": ("live", None),
    }
    assert records["9"].absorbed == ("1", "2")
    assert hubspot.calls == {"recheck": 1}


def test_a_refusal_that_names_nobody_is_found_by_halving(wire: Any, hubspot: HubSpot) -> None:
    def vendor(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        orders = json.loads(request.body or "")["inputs"]
        if any(order["properties"]["email"].startswith("p5@") for order in orders):
            return 409, {}, json.dumps({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 77"})
        rows = [{"id": f"1{n}", "properties": order["properties"]} for n, order in enumerate(orders)]
        return 201, {}, json.dumps({"results": rows[::-1]})

    wire.add_callback("POST", f"{CONTACTS}/batch/create", vendor, content_type="application/json")
    receipts = push(hubspot, *(Change(f"k{n}", "create", fields={"email": f"p{n}@people.example"}) for n in range(8)))
    error = receipts.pop("k5").error
    assert isinstance(error, AlreadyExists)
    assert error.ref == "77"
    assert [(r.error, r.record.fields["email"]) for r in receipts.values()] == [
        (None, f"p{n}@people.example") for n in (0, 1, 2, 3, 4, 6, 7)
    ]  # type: ignore[union-attr]
    assert len(wire.calls) == 1 + 2 * 3


def test_a_refused_property_is_named_and_its_value_kept_from_the_operator(wire: Any, hubspot: HubSpot) -> None:
    problem = {"isValid": False, "message": "ann@ is not valid"}
    errors = [{"message": problem["message"], "context": {"propertyName": ["email"]}}]
    wire.post(
        f"{CONTACTS}/batch/update", json={"category": "VALIDATION_ERROR", "message": json.dumps(problem), "errors": errors}, status=400
    )
    error = push(hubspot, Change("k", "update", "1", {"email": "ann@"}))["k"].error
    assert isinstance(error, Rejected)
    assert (error.field, "ann@" in str(error), "ann@" in error.detail) == ("email", False, True)


def test_an_answer_that_forgets_a_change_leaves_it_unknown(wire: Any, hubspot: HubSpot) -> None:
    wire.post(f"{CONTACTS}/batch/update", json={"results": [ANN]})
    receipts = push(hubspot, *(Change(ref, "update", ref, {"firstname": "Ann"}) for ref in ("1", "2")))
    assert receipts["1"].error is None
    assert isinstance(receipts["2"].error, OutcomeUnknown)


def test_an_echo_that_does_not_show_what_was_written_must_be_read_back(wire: Any, hubspot: HubSpot) -> None:
    wire.post(f"{CONTACTS}/batch/update", json={"results": [ANN]})
    (receipt,) = push(hubspot, Change("k", "update", "1", {"lastname": ""})).values()
    assert (receipt.error, receipt.record, receipt.ref) == (None, None, "1")


def test_values_leave_as_text(wire: Any, hubspot: HubSpot) -> None:
    wire.post(f"{CONTACTS}/batch/update", json={"results": []})
    push(hubspot, Change("k", "update", "1", {"a": None, "b": True, "c": 3, "d": "x;y"}))
    assert sent(wire) == [{"inputs": [{"id": "1", "properties": {"a": "", "b": "true", "c": "3", "d": "x;y"}, "objectWriteTraceId": "k"}]}]


def test_a_contacts_second_change_waits_for_its_first() -> None:
    changes = [Change(f"k{n}", "update", str(n % 3)) for n in range(9)]
    batches = list(_batches(changes))
    assert [[change.key for change in batch] for _, batch in batches] == [["k0", "k1", "k2"], ["k3", "k4", "k5"], ["k6", "k7", "k8"]]
    assert all(before[0] != after[0] for before, after in pairwise(batches))
