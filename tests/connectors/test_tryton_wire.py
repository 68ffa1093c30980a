"""Tryton on the wire: what exactly is sent, and what each of its answers becomes. The real server is met in tests/real."""

from __future__ import annotations

import base64

import pytest
import responses
from requests import ConnectionError as NoAnswer

from connectors.tryton import Tryton
from connectors.tryton_rpc import refusal
from syncline.cursor import Cursor
from syncline.errors import (
    AuthFailed,
    ConsentRefused,
    Forbidden,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SchemaDrift,
    Stale,
    Unreachable,
    UsageError,
)
from syncline.ports import Change, Settings
from tests.connectors.tryton_desk import (
    BASE,
    NINE_US,
    PASSWORD,
    STAMP,
    TEN_US,
    UNAUTHORISED,
    Desk,
    Refusal,
    Turns,
    began_around_ten,
    by_id,
    create,
    created,
    email,
    row,
    tryton,
    update,
)


@pytest.fixture
def wire():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


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


def test_a_listing_goes_by_id_and_is_complete_at_its_end(wire, monkeypatch):
    monkeypatch.setattr("connectors.tryton.PAGE", 2)
    desk = Desk(wire, search_read=Turns([[row(3), row(5)], [row(8)]]))
    first, last = tryton().pull("parties", ("name",), None)
    began_us = last.cursor.at_us
    assert began_around_ten(began_us)
    assert (first.cursor, first.complete) == (Cursor(0, token=f"{began_us}:5"), False)
    assert (last.cursor, last.complete) == (Cursor(began_us), True)
    asked = desk.of("search_read")
    assert [params[0][1] for params in asked] == [["id", ">", 0], ["id", ">", 5]]
    assert all(params[0][0] == ["active", "in", [True, False]] and params[2] == 2 and params[3] == [["id", "ASC"]] for params in asked)


def test_a_listing_goes_on_behind_its_token_with_its_first_clock(wire):
    desk = Desk(wire, search_read=Turns([[row(8)]]))
    [page] = tryton().pull("parties", ("name",), Cursor(0, token="777:5"))
    assert desk.of("search_read")[0][0][1] == ["id", ">", 5]
    assert (page.cursor, page.complete) == (Cursor(777), True)


def test_a_poll_asks_for_the_overlap_and_moves_only_at_its_end(wire, monkeypatch):
    monkeypatch.setattr("connectors.tryton.PAGE", 1)
    before = Cursor(TEN_US - 60_000_000)
    desk = Desk(wire, search_read=Turns([[row(3)], []]))
    first, last = tryton().pull("parties", ("name",), before)
    assert (first.cursor, last.complete) == (before, False)
    assert began_around_ten(last.cursor.at_us) and last.cursor.token is None
    _active, _after, (word, since, mechanisms, _never) = desk.of("search_read")[0][0]
    assert (word, mechanisms[0]) == ("OR", "contact_mechanisms")
    assert (since[0], since[1], since[2]["hour"], since[2]["minute"]) == ("last_modified_at", ">=", 9, 54)


def test_a_row_becomes_a_record(wire):
    mechanisms = [email(4, "first@people.example"), email(2, "second@people.example")]
    categories = [{"id": 9, "rec_name": "Email opt-out"}, {"id": 3, "rec_name": "Gold"}]
    more = {"rating": {"__class__": "Decimal", "decimal": "12.50"}, "seen_at": STAMP, "born": {**STAMP, "__class__": "date"}}
    Desk(
        wire,
        search_read=[row(7, **more, **{"contact_mechanisms.": mechanisms, "categories.": categories, "lang.": {"id": 1, "code": "en"}})],
    )
    fields = ("email", "phone", "active", "rating", "seen_at", "born", "lang", "categories", "email_opt_out")
    [record] = tryton().read("parties", fields, ["7"])
    assert dict(record.fields) == {
        "email": "first@people.example",
        "phone": None,
        "active": True,
        "rating": "12.50",
        "seen_at": "2026-11-21T09:00:00.000005Z",
        "born": "2026-11-21",
        "lang": "en",
        "categories": ("Gold",),
        "email_opt_out": True,
    }
    assert (record.version, record.modified_us) == ("7@7.00001 email:4@4.00002", NINE_US)


def test_a_write_is_held_against_what_it_was_decided_on(wire):
    desk = Desk(wire, write=None, search_read=by_id)
    list(tryton().push("parties", ("email",), [update(7, "7@7.00001 email:4@4.00002", email="new@people.example", phone="1")]))
    [[ids, sent, context]] = desk.of("write")
    write, make = ["write", [4], {"value": "new@people.example"}], ["create", [{"type": "phone", "value": "1"}]]
    assert (ids, sent) == ([7], {"contact_mechanisms": [write, make]})
    assert context == {"_timestamp": {"party.party,7": "7.00001", "party.contact_mechanism,4": "4.00002"}}


def test_values_of_other_modules_keep_their_wire_types(wire):
    desk = Desk(wire, write=None, search_read=by_id)
    fields = {"rating": "12.50", "born": "1815-12-10", "seen_at": "2026-11-21T10:00:00.000005+01:00", "code": ""}
    list(tryton().push("parties", ("name",), [update(7, **fields)]))
    [[_ids, sent, _context]] = desk.of("write")
    born = {"__class__": "date", "year": 1815, "month": 12, "day": 10}
    assert sent == {"rating": {"__class__": "Decimal", "decimal": "12.50"}, "born": born, "seen_at": STAMP, "code": None}


def test_a_refused_batch_is_halved_until_the_bad_row_stands_alone(wire):
    desk = Desk(wire, create=created, search_read=by_id, search=[])
    receipts = list(tryton().push("parties", ("name",), [create(name) for name in ("1", "2", "bad", "4")]))
    assert [receipt.key for receipt in receipts if receipt.error] == ["k-bad"]
    assert sorted(receipt.ref for receipt in receipts if receipt.record) == ["101", "102", "104"]
    sizes = [len(params[0]) for params in desk.of("create")]
    assert sizes == [4, 2, 2, 1, 1]
    [error] = [receipt.error for receipt in receipts if receipt.error]
    assert isinstance(error, Rejected) and "Bad Person" in error.detail and "Bad Person" not in str(error)


def test_one_look_tells_whose_party_has_moved(wire):
    stale = Refusal(["ConcurrencyException", "Records were modified in the meanwhile"])
    desk = Desk(wire, write=Turns([stale, None]), search_read=by_id)
    receipts = list(tryton().push("parties", ("name",), [update(7, name="A"), update(8, "8@1.00000", name="B"), update(9, name="C")]))
    assert {receipt.ref: type(receipt.error) for receipt in receipts} == {"7": type(None), "8": Stale, "9": type(None)}
    assert [params[0:-1:2] for params in desk.of("write")] == [[[7], [8], [9]], [[7], [9]]]


def test_a_create_that_was_made_before_is_found_by_its_key(wire):
    desk = Desk(wire, search_read=by_id)
    desk.answers["model.party.identifier.search_read"] = [{"id": 1, "party": 55, "code": "syncline:k-1"}]
    [receipt] = tryton().push("parties", ("name",), [create("1")])
    assert (receipt.ref, receipt.error) == ("55", None)
    assert desk.of("create") == []


def test_an_opt_out_is_put_into_its_category_which_is_made_when_first_needed(wire):
    desk = Desk(wire, create=[101], search_read=by_id)
    desk.answers["model.party.category.search_read"] = Turns([[], [], [{"id": 9, "rec_name": "No letters"}]])
    desk.answers["model.party.category.create"] = [9]
    list(tryton(opt_out_category="No letters").push("parties", ("name",), [create("1", email_opt_out=True)]))
    assert desk.of("model.party.category.create") == [[[{"name": "No letters"}], {}]]
    assert desk.of("create")[0][0][0]["categories"] == [["add", [9]]]


def test_an_opt_out_without_its_category_is_refused_not_forgotten(wire):
    desk = Desk(wire, search_read=by_id)
    desk.answers["model.party.category.search_read"] = []
    desk.answers["model.party.category.create"] = Refusal(["UserError", ["You are not allowed to create", "", None]])
    consent = [Change(f"k-{n}", "consent", str(n), consent={"email_opt_out": n == 7}, version=f"{n}@{n}.00001") for n in (7, 8)]
    out, back = tryton().push("parties", ("name",), consent)
    assert isinstance(out.error, ConsentRefused) and out.error.field == "email_opt_out"
    assert back.error is None and desk.of("write") == []


def test_a_list_of_categories_never_gives_or_takes_the_opt_out(wire):
    desk = Desk(wire, write=None, search_read=by_id)
    desk.answers["model.party.category.search_read"] = [{"id": 9, "rec_name": "Email opt-out"}, {"id": 3, "rec_name": "Gold"}]
    [first, second] = tryton().push("parties", ("name",), [update(7, categories=("Email opt-out",)), update(8, categories=())])
    assert isinstance(first.error, Rejected) and first.error.field == "categories"
    assert second.record
    assert desk.of("write")[0][1] == {"categories": [["remove", [3]], ["add", []]]}


def test_an_update_cannot_carry_consent(wire):
    desk = Desk(wire, search_read=by_id)
    [receipt] = tryton().push("parties", ("name",), [update(7, name="Ada", email_opt_out=False)])
    assert isinstance(receipt.error, Rejected) and receipt.error.field == "email_opt_out"
    assert desk.of("write") == []


def test_an_echo_that_cannot_be_read_leaves_an_applied_change(wire):
    Desk(wire, write=None, search_read=Refusal(["UserError", ["no", "", None]]))
    [receipt] = tryton().push("parties", ("name",), [update(7, name="Ada")])
    assert (receipt.ref, receipt.record, receipt.error) == ("7", None, None)


def test_what_stops_everything_is_raised_after_the_receipts_of_what_was_done(wire):
    Desk(wire, create=[101], write=UNAUTHORISED, search_read=by_id)
    done = []
    with pytest.raises(AuthFailed):
        for receipt in tryton().push("parties", ("name",), [update(7, name="Ada"), create("1")]):
            done.append(receipt.ref)
    assert done == ["101"]


def test_a_field_that_has_gone_is_drift(wire):
    Desk(wire)
    with pytest.raises(SchemaDrift, match="shoe_size"):
        list(tryton().pull("parties", ("name", "shoe_size"), None))


def test_an_old_series_is_refused_by_name(wire):
    wire.post(f"{BASE}/rpc/", json={"id": 1, "result": "7.0"})
    with pytest.raises(UsageError, match=r"7\.0"):
        tryton().check()


def test_a_missing_right_is_named(wire):
    wire.post(f"{BASE}/rpc/", json={"id": 1, "result": "8.2"})
    desk = Desk(wire)
    desk.answers["model.ir.model.access.get_access"] = {"party.party": {"read": True, "write": False, "create": True, "delete": False}}
    assert tryton().check().missing_scopes == ("party.party write",)


def test_find_refuses_a_field_it_cannot_look_up(wire):
    Desk(wire)
    with pytest.raises(UsageError, match="categories"):
        list(tryton().find("parties", ("name",), "categories", ["Gold"]))


@pytest.mark.parametrize("settings", [Settings(base_url=BASE), Settings(options={"database": "crm"})])
def test_a_server_and_a_database_must_be_named(settings):
    with pytest.raises(UsageError):
        Tryton(settings)


@pytest.mark.parametrize("call", [lambda one: one.describe("deals"), lambda one: list(one.pull("deals", (), None))])
def test_an_unknown_object_is_a_usage_error(call):
    with pytest.raises(UsageError, match="deals"):
        call(tryton())
