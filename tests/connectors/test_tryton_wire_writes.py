"""Tryton on the wire, written: what exactly is sent, and what each of its answers becomes. The real server is met in tests/real."""

from __future__ import annotations

import pytest

from syncline.errors import AuthFailed, ConsentRefused, Rejected, Stale
from syncline.ports import Change
from tests.connectors.tryton_desk import (
    STAMP,
    UNAUTHORISED,
    Desk,
    Refusal,
    Turns,
    by_id,
    create,
    created,
    tryton,
    update,
    wire,
)

__all__ = ["wire"]


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
