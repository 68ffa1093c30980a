"""The lens laws (GetPut, PutGet, modulo canon) of every transform, as it comes out of a mapping file, over its declared domain."""

from __future__ import annotations

import datetime as dt
from typing import Any

import phonenumbers
import pycountry
import pytest
from email_validator import validate_email
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mapping_samples import field

from mappings.transforms.choices import choices
from mappings.transforms.email import PLAIN, _is_plain
from mappings.transforms.number import number, scale
from mappings.transforms.phone import _asked, _plainly
from mappings.transforms.sets import each, split, tidy
from mappings.transforms.text import text
from syncline.errors import Recovery, SyncError
from syncline.lens import Step, compose, project
from syncline.mapping import Field
from syncline.records import SIDES, Side

STAGES = "transform: {choices: {lead: [[lead, sub], LEAD], sql: [sql, SQL]}}"
CONSENT = (
    "transform: {consent: {crm: {true: out, false: unknown}, marketing: {subscribed: in, none: unknown, unsubscribed: out}}},"
    "conflict: {rule: most_restrictive, order: [in, out], silent: [unknown]}"
)
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
word = words.filter(lambda w: w.strip())
tag = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=";"), min_size=1, max_size=6).map(str.strip).filter(bool)
tags = st.lists(tag, min_size=1, max_size=4).map(tidy)
plain = st.integers(-(10**9), 10**9) | st.decimals(-1000, 1000, places=3).map(float)
day = st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)).map(dt.date.isoformat)
moment = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2100, 1, 1)).map(lambda d: d.isoformat() + "Z")
local = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)
address = st.builds("{}@{}".format, local, st.sampled_from(["people.example", "Münster.example", "xn--mnster-3ya.example", "EXAMPLE.ORG"]))
irish = st.integers(0, 9_999_999).map(lambda n: f"+35387{n:07}")
code = st.sampled_from([c.alpha_2 for c in pycountry.countries])
name = st.sampled_from(["Ann", "Bo", "Maria Luisa", "Ó", "Smith", "van der Berg", "O'Brien", "García Lorca", "Lee"])

# declaration: (canonical values of the domain, native values a side may show before the put)
LAWS: dict[str, tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]] = {
    "": (word, words),
    "transform: {text: {trim: false}}": (words.filter(bool), words),
    "type: email": (address, words),
    "transform: {phone: {region: IE}}": (irish, words | st.sampled_from(["087 123 4567", "+1 212 555 0100", "(01) 234 5678 ext 9"])),
    "type: number": (plain, plain | plain.map(str) | words),
    "transform: {scale: {factor: 20}}": (plain, plain | plain.map(str)),
    "transform: {marketing: {scale: {factor: 0.001}}}": (plain, plain),
    "type: boolean": (st.booleans(), st.sampled_from(["true", "false", True, False, 0, 1, "", "Yes", "maybe"])),
    "type: date": (day, day | st.integers(-2000, 40_000).map(lambda n: str(n * 86_400_000)) | words),
    "type: instant": (moment, moment | st.integers(0, 4 * 10**12)),
    "type: date, transform: {marketing: {instant: {zone: Pacific/Auckland}}}": (day, day),
    "type: date, transform: {crm: {instant: {zone: America/Sao_Paulo}}}": (day, moment | day),
    STAGES: (st.sampled_from(["lead", "sql"]), st.sampled_from(["lead", "sub", "sql", "LEAD", "SQL", "", None, "new"])),
    "type: choice": (tag, words),
    "transform: {split: ';'}": (tags, words | st.lists(words, max_size=3)),
    "type: set": (tags, st.lists(words, max_size=3)),
    "type: set, transform: {choices: {a: [1, x], b: [[2, 3], y]}, crm: {split: ','}}": (
        st.sampled_from([("a",), ("b",), ("a", "b")]),
        st.sampled_from(["1,2", "3", "", "x", ["x", "y"], ["1"]]),
    ),
    "transform: {country: {crm: name, marketing: alpha3}}": (code, st.sampled_from(["UK", "England", "Ireland", "deu", "", "Narnia"])),
}  # fmt: skip


@given(words | st.text(max_size=40), st.sampled_from(["", "transform: {text: {max: 5}}", "transform: {text: {trim: false}}"]))
def test_what_passes_as_it_is_is_what_the_lens_would_give(text: str, declared: str) -> None:
    for side, lens in field(declared).lenses.items():
        assert lens.as_is
        if text and not text.isspace() and len(text) <= lens.as_is:
            assert lens.get(shown(text, side)) == text and lens.put(text, {}) == shown(text, side)


CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
EXAMPLES = list(filter(None, map(phonenumbers.example_number, sorted(phonenumbers.SUPPORTED_REGIONS))))
dialled = st.builds("+{}{}".format, st.sampled_from(CODES), st.from_regex(r"[0-9 ()-]{4,16}", fullmatch=True))
spelled = st.builds(phonenumbers.format_number, st.sampled_from(EXAMPLES), st.sampled_from([0, 1]))


@settings(max_examples=1000)
@given(dialled | spelled)
def test_numbers_told_at_sight_are_what_the_library_says(written: str) -> None:
    seen = _plainly(written)
    assert seen is None or seen == _asked(written, None)


def test_nearly_every_number_in_international_form_is_told_at_sight() -> None:
    told = [_plainly(phonenumbers.format_number(example, 1)) for example in EXAMPLES]
    assert len([each for each in told if each]) > 0.9 * len(EXAMPLES)


def shown(native: Any, side: Side) -> dict[str, Any]:
    return {"c" if side == "crm" else "m": native}


def get_put(f: Field, side: Side, native: dict[str, Any]) -> None:
    """Putting back what was got changes nothing at all, not even the spelling."""
    try:
        value = f.lenses[side].get(native)
    except SyncError as refusal:
        assert refusal.recovery is Recovery.HOLD
        return
    assert f.lenses[side].put(value, native) == {}


def put_get(f: Field, side: Side, value: Any, native: dict[str, Any]) -> None:
    """What was put is what is got."""
    after = {**native, **f.lenses[side].put(value, native)}
    assert f.canon(f.lenses[side].get(after)) == f.canon(value)


@pytest.mark.parametrize("declaration", LAWS)
@pytest.mark.parametrize("side", SIDES)
def test_laws(declaration: str, side: Side) -> None:
    domain, natives = LAWS[declaration]
    f = field(declaration)

    @settings(max_examples=60, deadline=None)
    @given(domain, natives | st.none())
    def hold(value: Any, native: Any) -> None:
        get_put(f, side, shown(native, side))
        put_get(f, side, value, shown(native, side))
        put_get(f, side, None, shown(native, side))
        put_get(f, side, value, {})

    hold()


@given(word | st.just("a\u0301" * 9), words, st.integers(1, 12))
def test_shortened_text_is_read_back_as_shortened_and_stays_so(value: str, native: str, max: int) -> None:
    f = field(f"transform: {{text: {{max: {max}}}}}")
    lens = f.lenses["crm"]
    assert lens.lossy
    get_put(f, "crm", {"c": native})
    once = project(lens, value, {"c": native})
    if len(value) <= max:
        assert f.canon(once) == f.canon(value)
    elif f.canon(native) != f.canon(value):
        assert len(str(once or "")) <= max
        assert lens.put(once, {"c": once}) == {}


@pytest.mark.parametrize("native", [True, False, "true", "false", None, ""])
@pytest.mark.parametrize("value", ["in", "out", "unknown", None])
def test_consent_a_side_says_what_it_can_and_else_nothing(native: Any, value: str | None) -> None:
    f = field(CONSENT)
    lens = f.lenses["crm"]
    get_put(f, "crm", {"c": native})
    after = lens.get({"c": native, **lens.put(value, {"c": native})})
    if value in ("out", "unknown"):
        assert after == value
    elif value is None:
        assert after == lens.get({"c": native})
    else:
        assert after in (None, "unknown"), "a side without a word for opted in never claims it, and no longer says opted out"
    assert lens.lossy
    assert not f.lenses["marketing"].lossy


@given(name, name, st.sampled_from(["", "Ann Smith", "Smith, Ann", "Ann", "Maria Luisa van der Berg", "Cher  Bono"]), st.booleans())
def test_name_parts_are_read_back_or_refused(first: str, last: str, full: str, swap: bool) -> None:
    parts = {part: field(f"direction: to_crm, transform: {{crm: {{name: {{part: {part}}}}}}}") for part in ("first", "last")}
    native: dict[str, Any] = {"c": full}
    for part, value in (("last", last), ("first", first)) if swap else (("first", first), ("last", last)):
        get_put(parts[part], "crm", native)
        others = parts["last" if part == "first" else "first"].lenses["crm"]
        before = others.get(native)
        try:
            native |= parts[part].lenses["crm"].put(value, native)
        except SyncError as refusal:
            assert refusal.recovery is Recovery.HOLD
            assume(False)
        assert parts[part].lenses["crm"].get(native) == value
        assert others.get(native) == before, "the other part stands as it was"


CHAINS: list[tuple[Step, Step, st.SearchStrategy[Any]]] = [
    (number(), scale(20), plain),
    (scale(4), scale(0.5), plain),
    (split(";"), each(choices((("1", "a"), ("2", "b")))), st.sampled_from([("a",), ("a", "b")])),
    (text(), choices((("1", "a"), ("2", "b"))), st.sampled_from(["a", "b"])),
]


@pytest.mark.parametrize(("first", "second", "domain"), CHAINS)
def test_composition_keeps_the_laws(first: Step, second: Step, domain: st.SearchStrategy[Any]) -> None:
    whole = compose(first, second)

    @settings(max_examples=60, deadline=None)
    @given(domain)
    def hold(value: Any) -> None:
        native = whole.put(value)
        assert whole.get(native) == value
        assert whole.put(whole.get(native)) == native

    hold()


def test_every_region_example_round_trips() -> None:
    f = field("transform: {phone: {region: IE}}")
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number(region)
        if example is not None:
            written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
            value = f.lenses["crm"].get({"c": written})
            put_get(f, "marketing", value, {})


def test_every_country_round_trips_in_every_form() -> None:
    for form in ("name", "alpha2", "alpha3"):
        f = field(f"transform: {{country: {form}}}")
        for country in pycountry.countries:
            put_get(f, "crm", country.alpha_2, {})


@given(st.from_regex(PLAIN, fullmatch=True))
def test_what_passes_for_a_plain_address_passes_the_library_too(address: str) -> None:
    assume(_is_plain(address))
    validate_email(address, check_deliverability=False, globally_deliverable=False)
