"""Members, changes and answers as Mailchimp has them on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from connectors.mailchimp import Mailchimp
from syncline.ports import Change, Settings

BASE = "https://us21.api.mailchimp.com/3.0"
LIST = f"{BASE}/lists/8c1f00"
KEY = "0123456789abcdef0123456789abcdef-us21"
FIELDS = ("email_address", "merge_fields.FNAME", "tags", "status")
DATE = {"Date": "Sat, 21 Nov 2026 10:00:00 GMT"}
TEN_US = int(datetime(2026, 11, 21, 10, tzinfo=UTC).timestamp()) * 1_000_000


def mailchimp(audience: str = "8c1f00", **more) -> Mailchimp:
    return Mailchimp(Settings(secrets={"api_key": KEY}, options={"audience": audience}, **more))


def member(ref: str, **more) -> dict:
    shown = {
        "contact_id": ref,
        "email_address": f"{ref}@people.example",
        "status": "subscribed",
        "merge_fields": {"FNAME": "Ada", "LNAME": ""},
    }
    stamps = {"last_changed": "2026-11-21T09:00:00+00:00", "timestamp_opt": "", "source": "API - Generic"}
    return {**shown, **stamps, "tags": [], "tags_count": 0, **more}


def problem(title: str, detail: str, status: int = 400, **more) -> dict:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": "", **more}


def update(ref: str, kind: str = "update", **fields) -> Change:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return Change(f"k-{ref}", kind, ref, named, anchor={"email_address": f"{ref}@people.example"})


def create(name: str, **consent) -> Change:
    return Change(f"k-{name}", "create", None, {"email_address": f"{name}@people.example", "merge_fields.FNAME": name}, consent)


def consent(ref: str, status: str) -> Change:
    return Change(f"k-{ref}", "consent", ref, consent={"status": status})


def answer_batch(wire: responses.RequestsMock, new=(), updated=(), errors=()) -> None:
    wire.post(LIST, json={"new_members": list(new), "updated_members": list(updated), "errors": list(errors)}, headers=DATE)


def sent(call) -> tuple[str, str, dict, dict | None]:
    parts = urlsplit(call.request.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return call.request.method, parts.path.removeprefix("/3.0/lists/8c1f00"), query, json.loads(call.request.body or "null")


@pytest.fixture
def wire():
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        yield mock
