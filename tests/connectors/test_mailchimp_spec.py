"""Everything Mailchimp is sent has the shape its API description asks for.

One scripted session makes every kind of call. Each is checked against the rules below, which are always here, and against the vendor's own
OpenAPI description where a copy of it lies beside the checkout (`../shared/specs/mailchimp`); it is not ours to carry along.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import pytest
import responses

from connectors.mailchimp import Mailchimp
from syncline.cursor import Cursor
from syncline.ports import Change, Settings

HOST = "https://us21.api.mailchimp.com/3.0"
SPEC = Path(__file__).resolve().parents[3] / "shared/specs/mailchimp/marketing.openapi.json"
FIELDS = ("email_address", "status", "tags", "merge_fields.FNAME", "merge_fields.SCORE", "vip")
STATUSES = {"subscribed", "unsubscribed", "cleaned", "pending", "transactional"}

# "METHOD /path" → (query names allowed, body names allowed, body names required)
MEMBERS_QUERY = {"fields", "count", "offset", "sort_field", "sort_dir", "status", "since_last_changed", "before_last_changed"}
MEMBER_BODY = {"email_address", "status", "merge_fields", "vip", "language"}
RULES = {
    "GET /": ({"fields"}, None, None),
    "GET /lists": ({"fields", "count"}, None, None),
    "GET /lists/{}": ({"fields"}, None, None),
    "GET /lists/{}/merge-fields": ({"count", "offset"}, None, None),
    "GET /lists/{}/members": (MEMBERS_QUERY, None, None),
    "GET /lists/{}/members/{}": ({"fields"}, None, None),
    "PATCH /lists/{}/members/{}": (set(), MEMBER_BODY, set()),
    "PUT /lists/{}/members/{}": (set(), MEMBER_BODY | {"status_if_new"}, {"email_address", "status_if_new"}),
    "DELETE /lists/{}/members/{}": (set(), None, None),
    "POST /lists/{}": (set(), {"members", "update_existing", "sync_tags"}, {"members"}),
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


class Sent(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    body: dict | None

    @property
    def call(self) -> str:
        """The method and the path with its parameters left out."""
        return f"{self.method} {re.sub(r'(?<=/lists/)[^/]+|(?<=/members/)[^/]+', '{}', self.path)}"


def answer(request):
    """Just enough of an answer to go on."""
    path, body = urlsplit(request.url).path.removeprefix("/3.0"), json.loads(request.body or "{}")
    ref = path.rpartition("/")[2]
    status = "archived" if ref == "put-away" and request.method == "GET" else "subscribed"
    one = {"contact_id": ref, "email_address": f"{ref}@people.example", "status": status, "last_changed": "2026-11-21T09:00:00+00:00"}
    named = [
        {
            **one,
            "contact_id": m["email_address"].partition("@")[0],
            "email_address": m["email_address"],
            "tags": [{"name": tag} for tag in m.get("tags", ())],
        }
        for m in body.get("members", ())
    ]
    lists = {"account_name": "Ada's Bikes", "name": "Newsletter", "lists": [{"id": "8c1f00", "name": "Newsletter"}]}
    pages = {"merge_fields": [], "members": [], "total_items": 0, "new_members": named, "updated_members": [], "errors": []}
    return 204 if request.method == "DELETE" else 200, {}, "" if request.method == "DELETE" else json.dumps({**one, **lists, **pages})


def change(kind: str, ref: str | None = None, **more) -> Change:
    return Change(f"{kind}-{ref}", kind, ref, anchor={"email_address": f"{ref}@people.example"} if ref else {}, **more)


CHANGES = (
    change("consent", "ada", consent={"status": "unsubscribed"}),
    change("create", fields={"email_address": "new@people.example", "merge_fields.FNAME": "Zoë", "merge_fields.SCORE": 3, "tags": ["a"]}),
    Change("create-asked", "create", fields={"email_address": "asked@people.example", "vip": True}, consent={"status": "pending"}),
    change("update", "bob", fields={"merge_fields.FNAME": None, "vip": False}),
    change("update", "cy", fields={"tags": ["a", "b"], "language": "de"}),
    change("update", "dee", fields={"email_address": "dee.new@people.example", "merge_fields.FNAME": "Dee"}),
    change("restore", "put-away", consent={"status": "pending"}),
    change("restore", "put-away"),
    change("archive", "eve"),
)


@pytest.fixture(scope="module")
def session() -> list[Sent]:
    """Every kind of call once, as it went out."""
    with responses.RequestsMock() as wire:
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            wire.add_callback(method, re.compile(re.escape(HOST)), answer, content_type="application/json")
        connector = Mailchimp(Settings(secrets={"api_key": "k-us21"}, options={"audience": "8c1f00"}))
        connector.check()
        connector.describe("members")
        list(connector.pull("members", FIELDS, None))
        list(connector.pull("members", FIELDS, Cursor(1_795_255_200_000_000)))
        list(connector.read("members", FIELDS, ["ada"]))
        list(connector.find("members", FIELDS, "email_address", ["Ada@people.example"]))
        assert [r.error for r in connector.push("members", FIELDS, CHANGES)] == [None] * len(CHANGES)
        with pytest.raises(Exception, match="Newsletter"):
            Mailchimp(Settings(secrets={"api_key": "k-us21"})).describe("members")
        return [_sent(call.request) for call in wire.calls]


def _sent(request) -> Sent:
    parts = urlsplit(request.url)
    body = json.loads(request.body) if request.body else None
    return Sent(request.method, parts.path.removeprefix("/3.0"), dict(parse_qsl(parts.query)), body)


def test_the_session_makes_every_kind_of_call(session):
    assert {sent.call for sent in session} == set(RULES)


def test_every_call_has_the_shape_it_should(session):
    assert [problem for sent in session for problem in _problems(sent)] == []


def test_a_call_of_the_wrong_shape_is_found_out():
    wrong = Sent("PUT", "/lists/x/members/y", {"bogus": "1"}, {"status_if_new": "bogus"})
    assert len(_problems(wrong)) == (5 if SPEC.exists() else 2)


def test_windows_counts_and_orders_are_what_the_vendor_understands(session):
    for sent in session:
        instants = [value for name, value in sent.query.items() if name.endswith("_last_changed")]
        assert all(INSTANT.fullmatch(value) for value in instants)
        assert int(sent.query.get("count", 1)) <= 1000
        assert sent.query.get("sort_field", "last_changed") in {"timestamp_opt", "timestamp_signup", "last_changed"}
        assert sent.query.get("sort_dir", "ASC") == "ASC" and sent.query.get("status", "archived") == "archived"


def test_batches_are_small_and_only_a_create_names_a_status(session):
    batches = [sent.body for sent in session if sent.call == "POST /lists/{}"]
    for batch in batches:
        assert len(batch["members"]) <= 500 and all(member["email_address"] for member in batch["members"])
        statuses = {member.get("status") for member in batch["members"]}
        assert statuses <= (STATUSES - {"subscribed"} if not batch["update_existing"] else {None})
        tagged = {"tags" in member for member in batch["members"]}
        assert tagged == {True} if batch["sync_tags"] else batch["update_existing"] is False or tagged == {False}
        assert all(value is not None for member in batch["members"] for value in member.get("merge_fields", {}).values())
    assert [batch["update_existing"] for batch in batches] == [False, True, True]


def _problems(sent: Sent) -> list[str]:
    return _against_rules(sent) + (_against_description(sent) if SPEC.exists() else [])


def _against_rules(sent: Sent) -> list[str]:
    queries, names, required = RULES[sent.call]
    problems = [f"{sent.call}: no query {name}" for name in sent.query.keys() - queries]
    if (sent.body is None) != (names is None):
        return [*problems, f"{sent.call}: a body that should not be there, or none that should"]
    problems += [f"{sent.call}: no field {name}" for name in set(sent.body or ()) - (names or set())]
    return problems + [f"{sent.call}: {name} is missing" for name in (required or set()) - set(sent.body or ())]


def _against_description(sent: Sent) -> list[str]:
    """What the vendor's description has against a call; path parameters are not checked."""
    path = sent.call.partition(" ")[2]
    operation = next(spec for template, spec in _described().items() if re.sub(r"\{\w+\}", "{}", template) == path)[sent.method.lower()]
    known = {each["name"]: each["schema"] for each in operation.get("parameters", []) if each["in"] == "query"}
    problems = [f"{sent.call}: no query {name}" for name in sent.query if name not in known]
    problems += [f"{sent.call}: query {name}={value}" for name, value in sent.query.items() if not _fits(value, known.get(name, {}))]
    if sent.body is not None:
        content = operation["requestBody"]["content"]
        validator = jsonschema.Draft4Validator({**next(iter(content.values()))["schema"], "components": _document()["components"]})
        problems += [f"{sent.call}: {error.json_path} {error.message}" for error in validator.iter_errors(sent.body)]
    return problems


def _fits(value: str, schema: dict) -> bool:
    typed = int(value) if schema.get("type") == "integer" else value.split(",") if schema.get("type") == "array" else value
    return not list(jsonschema.Draft4Validator(schema).iter_errors(typed))


def _described() -> dict:
    return _document()["paths"]


@cache
def _document() -> dict:
    return _relaxed(json.loads(SPEC.read_text()))


def _relaxed(node):
    """Merge values are declared as objects, which no real value is: they may be anything."""
    if isinstance(node, list):
        return [_relaxed(each) for each in node]
    if not isinstance(node, dict):
        return node
    out = {name: _relaxed(value) for name, value in node.items()}
    merges = out.get("properties", {}).get("merge_fields") if isinstance(out.get("properties"), dict) else None
    if isinstance(merges, dict) and "additionalProperties" in merges:
        merges["additionalProperties"] = {}
    return out
