"""Tryton on the wire, read: what exactly is asked, and what each of its answers becomes. The real server is met in tests/real."""

from __future__ import annotations

import pytest

from syncline.cursor import Cursor
from syncline.errors import SchemaDrift, UsageError
from tests.connectors.tryton_desk import (
    NINE_US,
    STAMP,
    TEN_US,
    Desk,
    Turns,
    began_around_ten,
    email,
    row,
    tryton,
    wire,
)

__all__ = ["wire"]


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


def test_a_field_that_has_gone_is_drift(wire):
    Desk(wire)
    with pytest.raises(SchemaDrift, match="shoe_size"):
        list(tryton().pull("parties", ("name", "shoe_size"), None))


def test_find_refuses_a_field_it_cannot_look_up(wire):
    Desk(wire)
    with pytest.raises(UsageError, match="categories"):
        list(tryton().find("parties", ("name",), "categories", ["Gold"]))
