"""Transforms by example: what is read, what is written, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from mapping_samples import field

from mappings.transforms.email import folded
from syncline.errors import Recovery, Rejected, SyncError, UnknownChoice
from syncline.ports import FieldInfo, Schema
from syncline.records import MISSING

DUBLIN = "type: instant, transform: {instant: {zone: Europe/Dublin}}"
MANY = "transform: {choices: {lead: [[lead, sub], LEAD], sql: [sql, SQL]}}"

READS = [
    ("", "  Ann ", "  Ann "),
    ("", "   ", None),
    ("", 12, "12"),
    ("transform: {text: {trim: false}}", "  ", "  "),
    ("type: email", " Ann.B@People.Example ", "Ann.B@People.Example"),
    ("transform: {phone: {region: IE}}", "087 123 4567", "+353871234567"),
    ("transform: {phone: {region: IE}}", "+1 (212) 555-0100", "+12125550100"),
    ("transform: {phone: {region: IE}}", "01 234 5678 ext 9", "+35312345678 ext. 9"),
    ("type: phone", "+353 87 123 4567", "+353871234567"),
    ("type: number", "12.50", 12.5),
    ("type: number", "12.0", 12),
    ("type: number", "", None),
    ("type: boolean", "TRUE", True),
    ("type: boolean", 0, False),
    ("type: boolean", None, None),
    ("type: date", "1990-05-01", "1990-05-01"),
    ("type: date", "1990-05-01T00:00:00Z", "1990-05-01"),
    ("type: date", 641520000000, "1990-05-01"),
    ("type: date", "-86400000", "1969-12-31"),
    ("type: instant", "2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z"),
    ("type: instant", "2026-03-01T12:00:00.250+0000", "2026-03-01T12:00:00.250000Z"),
    ("type: instant", 1772366400000, "2026-03-01T12:00:00Z"),
    (DUBLIN, "2026-07-01 12:00", "2026-07-01T11:00:00Z"),
    ("type: date, transform: {crm: {instant: {zone: Etc/GMT+12}}}", "1990-05-01T12:00:00Z", "1990-05-01"),
    ("type: date, transform: {crm: {instant: {zone: Etc/GMT+12}}}", "1990-05-01T11:59:59Z", "1990-04-30"),
    (MANY, "sub", "lead"),
    (MANY, "", None),
    ("transform: {choices: {yes: [true, 1], no: [false, 0]}}", "true", "yes"),
    ("transform: {choices: {none: ['', 0], some: [x, 1]}}", None, "none"),
    ("transform: {split: ';'}", "b; a;;b", ("a", "b")),
    ("transform: {split: ';'}", ["b", "a;c"], ("a;c", "b")),
    ("type: set", ("b", " a "), ("a", "b")),
    ("type: set", [], None),
    ("transform: {country: name}", "UK", "GB"),
    ("transform: {country: name}", " deutschland ", "DE"),
    ("transform: {country: name}", "U.S.A.", "US"),
    ("transform: {country: name}", "Turkey", "TR"),
    ("transform: {country: name}", "IRL", "IE"),
    ("direction: to_crm, transform: {crm: {name: {part: first}}}", "Ann Lee van der Berg", "Ann Lee"),
    ("direction: to_crm, transform: {crm: {name: {part: last}}}", "Ann Lee van der Berg", "van der Berg"),
    ("direction: to_crm, transform: {crm: {name: {part: last}}}", "Berg, Ann", "Berg"),
    ("direction: to_crm, transform: {crm: {name: {part: last}}}", "Cher", None),
]  # fmt: skip


@pytest.mark.parametrize(("declaration", "native", "value"), READS)
def test_reads(declaration: str, native: Any, value: Any) -> None:
    got = field(declaration).lenses["crm"].get({"c": native})
    assert got == value
    assert type(got) is type(value)


WRITES = [
    # declaration, value, shown before, written
    ("", "Ann", MISSING, "Ann"),
    ("", None, "Ann", None),
    ("", "Ann ", "Ann", MISSING),
    ("transform: {text: {max: 3}}", "Anna", "", "Ann"),
    ("transform: {text: {max: 3}}", "Anu\u0301n", "", "An"),
    ("type: email", "ANN@people.example", "ann@people.example", MISSING),
    ("type: number", 12.5, "3", "12.5"),
    ("type: number", 12.5, 3, 12.5),
    ("type: number", 12.5, MISSING, 12.5),
    ("type: boolean", True, "false", "true"),
    ("type: boolean", True, False, True),
    ("type: boolean", True, "", True),
    ("type: date", "1990-05-01", 0, "1990-05-01"),
    ("type: date, transform: {crm: {instant: {zone: Europe/Dublin}}}", "2026-07-01", "", "2026-06-30T23:00:00Z"),
    ("type: date, transform: {crm: {instant: {zone: Europe/Dublin}}}", "2026-07-01", "2026-07-01T15:00:00Z", MISSING),
    (MANY, "lead", "sql", "lead"),
    (MANY, "lead", "sub", MISSING),
    ("transform: {choices: {yes: [true, 1], no: [false, 0]}}", "yes", "", True),
    ("transform: {choices: {yes: [true, 1], no: [false, 0]}}", "yes", "false", "true"),
    ("transform: {split: ';'}", ("a", "b"), "", "a;b"),
    ("transform: {split: ';'}", ("a", "b"), [], ["a", "b"]),
    ("transform: {split: ';'}", None, ["a"], []),
    ("type: set", ("a",), "", ["a"]),
    ("transform: {country: name}", "GB", "Ireland", "United Kingdom"),
    ("transform: {country: name}", "GB", "England", MISSING),
    ("transform: {country: alpha3}", "GB", "", "GBR"),
    ("transform: {phone: {region: IE}}", "+353871234567", "(087) 123 4567", MISSING),
    ("direction: to_crm, transform: {crm: {name: {part: last}}}", "Lee", "Ann Smith", "Ann Lee"),
    ("direction: to_crm, transform: {crm: {name: {part: last}}}", "Lee", "Smith, Ann", "Lee, Ann"),
    ("direction: to_crm, transform: {crm: {name: {part: last}}}", "García Lorca", "Ann Smith", "Ann García\u00a0Lorca"),
    ("direction: to_crm, transform: {crm: {name: {part: first}}}", "Ann", MISSING, "Ann"),
    ("direction: to_crm, transform: {crm: {name: {part: first}}}", "Ann Lee", MISSING, "Ann\u00a0Lee"),
]  # fmt: skip


@pytest.mark.parametrize(("declaration", "value", "shown", "written"), WRITES)
def test_writes(declaration: str, value: Any, shown: Any, written: Any) -> None:
    native = {} if shown is MISSING else {"c": shown}
    put = field(declaration).lenses["crm"].put(value, native)
    assert put == ({} if written is MISSING else {"c": written})
    assert type(put.get("c")) is type(None if written is MISSING else written)


REFUSED = [
    ("type: number", "twelve", Rejected),
    ("type: number", "nan", Rejected),
    ("type: number", True, Rejected),
    ("type: boolean", "maybe", Rejected),
    ("type: date", "01/05/1990", Rejected),
    ("type: date", "1990-02-30", Rejected),
    ("type: date", "1990-05-01T10:00:00Z", Rejected),
    ("type: date", "19900501", Rejected),
    ("type: instant", "2026-03-01T12:00:00", Rejected),
    (DUBLIN, "2026-10-25T01:30:00", Rejected),
    (DUBLIN, "2026-03-29T01:30:00", Rejected),
    ("type: phone", "087 123 4567", Rejected),
    ("transform: {phone: {region: IE}}", "087 12", Rejected),
    ("transform: {phone: {region: US}}", "555-0100", Rejected),
    ("transform: {phone: {region: IE}}", "ask for Mary", Rejected),
    (MANY, "opportunity", UnknownChoice),
    (MANY, "LEAD", UnknownChoice),
    ("transform: {country: name}", "Narnia", UnknownChoice),
    ("type: set", "a;b", Rejected),
    ("", ["a"], Rejected),
]  # fmt: skip


@pytest.mark.parametrize(("declaration", "native", "error"), REFUSED)
def test_what_is_not_in_the_domain_is_held_and_the_value_stays_out_of_the_message(
    declaration: str, native: Any, error: type[SyncError]
) -> None:
    with pytest.raises(error) as caught:
        field(declaration).lenses["crm"].get({"c": native})
    assert caught.value.recovery is Recovery.HOLD
    assert str(native) not in str(caught.value)
    assert caught.value.detail
    assert not isinstance(caught.value, Rejected) or caught.value.field == "c"


UNWRITABLE = [
    ("type: email", "no address", {}),
    ("transform: {choices: {crm: {lead: lead}, marketing: {L: lead, S: sql}}}", "sql", {}),
    ("transform: {split: ';'}", ("a;b",), {}),
    ("direction: to_crm, transform: {crm: {name: {part: last}}}", "Lee", {}),
    ("direction: to_crm, transform: {crm: {name: {part: last}}}", "Smith, Jr.", {"c": "Ann Smith"}),
    ("direction: to_crm, transform: {crm: {name: {part: first}}}", None, {"c": "Ann Smith"}),
]  # fmt: skip


@pytest.mark.parametrize(("declaration", "value", "native"), UNWRITABLE)
def test_what_would_be_read_back_differently_is_not_written(declaration: str, value: Any, native: dict[str, Any]) -> None:
    with pytest.raises(SyncError) as caught:
        field(declaration).lenses["crm"].put(value, native)
    assert caught.value.recovery is Recovery.HOLD


SAME = [("Ann@People.example", " ann@people.example "), ("jos\u00e9@people.example", "jose\u0301@people.example"),
        ("a@münster.example", "A@xn--mnster-3ya.example")]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), SAME)
def test_one_address_in_two_spellings(one: str, two: str) -> None:
    assert folded(one) == folded(two)


def test_look_alike_letters_are_other_people() -> None:
    assert folded("anna@people.example") != folded("\u0430nna@people.example")


def test_a_value_takes_the_form_the_vendor_describes_where_none_is_shown() -> None:
    schemas = {"crm": Schema("people", {"c": FieldInfo("c", "text")})}
    assert field("type: number", schemas=schemas).lenses["crm"].put(12.5, {}) == {"c": "12.5"}
    assert field("type: boolean", schemas=schemas).lenses["crm"].put(False, {"c": None}) == {"c": "false"}
    words = {"crm": Schema("people", {"c": FieldInfo("c", "boolean")})}
    assert field("transform: {choices: {yes: ['true', 1]}}", schemas=words).lenses["crm"].put("yes", {}) == {"c": True}


def test_owners_are_addresses_to_us_and_ids_to_a_side_that_has_ids() -> None:
    f = field("type: owner", owners={"crm": {"7": "Ann@people.example"}})
    assert f.lenses["crm"].get({"c": "7"}) == "ann@people.example"
    assert f.lenses["crm"].put("ANN@people.example", {"c": ""}) == {"c": "7"}
    assert f.lenses["marketing"].put("ann@people.example", {}) == {"m": "ann@people.example"}
    with pytest.raises(UnknownChoice):
        f.lenses["crm"].get({"c": "8"})
    with pytest.raises(UnknownChoice):
        f.lenses["crm"].put("bo@people.example", {})


def test_what_nobody_showed_stays_missing() -> None:
    f = field("type: number")
    assert f.lenses["crm"].get({}) is MISSING
    assert f.canon(MISSING) is MISSING
    assert f.lenses["crm"].put(MISSING, {"c": 1}) == {}


EQUAL = [
    ("", "Jose\u0301 ", "Jos\u00e9", True),
    ("", "ann", "Ann", False),
    ("transform: {marketing: {text: {trim: false}}}", "Ann ", "Ann", False),
    ("type: number", 0.1 + 0.2, 0.3, True),
    ("type: number", 12, 12.0, True),
    ("type: set", ("b", "a"), ("a", "b"), True),
    ("type: email", "ANN@people.example", "ann@people.example", True),
    ("type: owner", "ANN@people.example", "ann@people.example", True),
    ("type: boolean", False, None, False),
    ("", " ", None, True),
]


@pytest.mark.parametrize(("declaration", "one", "two", "equal"), EQUAL)
def test_what_counts_as_equal(declaration: str, one: Any, two: Any, equal: bool) -> None:
    canon = field(declaration).canon
    assert (canon(one) == canon(two)) is equal
