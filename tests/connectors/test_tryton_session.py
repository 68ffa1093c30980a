"""Tryton on the wire, at its door: sessions, servers and rights, and what each refusal becomes. The real server is met in tests/real."""

from __future__ import annotations

import base64

import pytest
from requests import ConnectionError as NoAnswer

from connectors.tryton import Tryton
from connectors.tryton_rpc import refusal
from syncline.errors import (
    AuthFailed,
    Forbidden,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Stale,
    Unreachable,
    UsageError,
)
from syncline.ports import Settings
from tests.connectors.tryton_desk import (
    BASE,
    PASSWORD,
    UNAUTHORISED,
    Desk,
    Turns,
    by_id,
    tryton,
    update,
    wire,
)

__all__ = ["wire"]


@pytest.fixture
def slept(monkeypatch):
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    return naps


def test_a_call_carries_the_session_and_ends_in_the_context(wire):
    desk = Desk(wire)
    list(tryton().read("parties", ("name",), ["7"]))
    assert desk.of("common.db.login") == [["ada", {"password": PASSWORD}]]
    assert desk.passes[0] is None
    assert desk.passes[1] == "Session " + base64.b64encode(b"ada:1:token").decode()
    assert all(params[-1] == {} for method, params in desk.asked[1:])


def test_a_session_that_ended_is_opened_once_more_even_for_a_write(wire):
    desk = Desk(wire, write=Turns([UNAUTHORISED, None]), search_read=by_id)
    [receipt] = tryton().push("parties", ("name",), [update(7, name="Ada")])
    assert receipt.record and receipt.error is None
    assert (len(desk.of("common.db.login")), len(desk.of("write"))) == (2, 2)


def test_a_session_refused_twice_is_a_matter_of_credentials(wire):
    desk = Desk(wire, search_read=UNAUTHORISED)
    with pytest.raises(AuthFailed):
        list(tryton().read("parties", ("name",), ["7"]))
    assert len(desk.of("search_read")) == 2


def test_a_wrong_password_is_said_without_saying_it(wire):
    desk = Desk(wire)
    desk.answers["common.db.login"] = UNAUTHORISED
    with pytest.raises(AuthFailed) as refused:
        list(tryton().pull("parties", ("name",), None))
    assert PASSWORD not in str(refused.value) + refused.value.detail


def test_too_many_wrong_passwords_is_told_apart(wire, slept):
    desk = Desk(wire)
    desk.answers["common.db.login"] = (429, {"Content-Type": "text/html"}, "<h1>Too Many Requests</h1>")
    with pytest.raises(RateLimited):
        list(tryton().pull("parties", ("name",), None))


def test_a_write_that_could_not_be_serialised_is_sent_again(wire, slept):
    busy = (503, {"Content-Type": "text/html"}, "<p>could not serialize access</p>")
    desk = Desk(wire, write=Turns([busy, None]), search_read=by_id)
    [receipt] = tryton().push("parties", ("name",), [update(7, name="Ada")])
    assert receipt.record and len(desk.of("write")) == 2 and slept


def test_a_write_without_an_answer_is_not_sent_again(wire, slept):
    desk = Desk(wire, write=NoAnswer("cut off"), search_read=by_id)
    receipts = list(tryton().push("parties", ("name",), [update(7, name="Ada"), update(8, name="Bea")]))
    assert [type(receipt.error) for receipt in receipts] == [OutcomeUnknown, OutcomeUnknown]
    assert len(desk.of("write")) == 1


@pytest.mark.parametrize(
    ("kind", "purpose", "expected"),
    [
        ("UserError", "write", Rejected),
        ("UserWarning", "write", Rejected),
        ("ConcurrencyException", "write", Stale),
        ("LoginException", "write", AuthFailed),
        ("'nofield'", "write", Rejected),
        ("UserError", "read", Forbidden),
        ("'nofield'", "read", Unreachable),
    ],
)
def test_an_envelope_becomes_an_error_that_names_nobody(kind, purpose, expected):
    error = refusal(kind, "Ada Byron", "Tryton party.write", purpose)
    assert type(error) is expected
    assert "Ada" not in str(error)


@pytest.mark.parametrize(("status", "expected"), [(404, UsageError), (403, Forbidden)])
def test_a_page_instead_of_an_envelope_says_what_is_wrong(wire, status, expected):
    Desk(wire, search_read=(status, {"Content-Type": "text/html"}, "<h1>Not here</h1>"))
    with pytest.raises(expected):
        list(tryton().read("parties", ("name",), ["7"]))


def test_an_answer_that_is_no_json_rpc_is_no_tryton(wire):
    Desk(wire, search_read=(200, {"Content-Type": "application/json"}, "{}"))
    with pytest.raises(Unreachable):
        list(tryton().read("parties", ("name",), ["7"]))


def test_an_old_series_is_refused_by_name(wire):
    wire.post(f"{BASE}/rpc/", json={"id": 1, "result": "7.0"})
    with pytest.raises(UsageError, match=r"7\.0"):
        tryton().check()


def test_a_missing_right_is_named(wire):
    wire.post(f"{BASE}/rpc/", json={"id": 1, "result": "8.2"})
    desk = Desk(wire)
    desk.answers["model.ir.model.access.get_access"] = {"party.party": {"read": True, "write": False, "create": True, "delete": False}}
    assert tryton().check().missing_scopes == ("party.party write",)


@pytest.mark.parametrize("settings", [Settings(base_url=BASE), Settings(options={"database": "crm"})])
def test_a_server_and_a_database_must_be_named(settings):
    with pytest.raises(UsageError):
        Tryton(settings)


@pytest.mark.parametrize("call", [lambda one: one.describe("deals"), lambda one: list(one.pull("deals", (), None))])
def test_an_unknown_object_is_a_usage_error(call):
    with pytest.raises(UsageError, match="deals"):
        call(tryton())
