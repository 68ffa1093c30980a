"""A Tryton that answers from a desk: what it is asked is kept, what it answers is laid out before."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses

from connectors.tryton import Tryton
from syncline.ports import Change, Settings

BASE = "https://crm.people.example"
RPC = f"{BASE}/crm/rpc/"
PASSWORD = "correct-horse-battery"
DATE = {"Date": "Sat, 21 Nov 2026 10:00:00 GMT"}
TEN_US = 1_795_255_200_000_000
STAMP = {"__class__": "datetime", "year": 2026, "month": 11, "day": 21, "hour": 9, "minute": 0, "second": 0, "microsecond": 5}
NINE_US = TEN_US - 3_600_000_000 + 5
SCALARS = {"name": "char", "code": "char", "rating": "numeric", "born": "date", "seen_at": "datetime", "active": "boolean"}
RELATIONS = {"lang": "many2one", "categories": "many2many", "email": "char", "phone": "char"}
UNAUTHORISED = (401, {"Content-Type": "text/html"}, "<h1>Unauthorized</h1>")


class Desk:
    """The other end of the wire: answers by method, a list one after the other, and keeps what it was asked."""

    def __init__(self, wire: responses.RequestsMock, **answers: Any) -> None:
        self.asked: list[tuple[str, list[Any]]] = []
        self.passes: list[str | None] = []
        fields = {name: {"type": kind, "string": name.title(), "searchable": True} for name, kind in (SCALARS | RELATIONS).items()}
        self.answers: dict[str, Any] = {
            "common.db.login": [1, "token", None],
            "model.party.party.fields_get": fields,
            "model.ir.lang.search_read": [{"id": 1, "code": "en"}],
            "model.party.category.search_read": [{"id": 9, "rec_name": "Email opt-out"}],
            "model.party.identifier.search_read": [],
            "model.party.party.search_read": [],
            **{f"model.party.party.{name}": answer for name, answer in answers.items()},
        }
        wire.add_callback("POST", RPC, self._answer)

    def of(self, method: str) -> list[list[Any]]:
        return [params for asked, params in self.asked if asked == method or asked == f"model.party.party.{method}"]

    def _answer(self, request: Any) -> Any:
        body = json.loads(request.body)
        assert set(body) == {"id", "method", "params"}
        self.asked.append((body["method"], body["params"]))
        self.passes.append(request.headers.get("Authorization"))
        answer = self.answers[body["method"]]
        if isinstance(answer, Turns):
            answer = answer.pop(0)
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer(*body["params"])
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, tuple):
            return answer
        return 200, {"Content-Type": "application/json", **DATE}, json.dumps({"id": body["id"], **_envelope(answer)})


class Turns(list):
    """Answers to be given one after the other."""


class Refusal(list):
    """An error envelope's content."""


def _envelope(answer: Any) -> dict[str, Any]:
    return {"error": answer} if isinstance(answer, Refusal) else {"result": answer}


def tryton(**options: Any) -> Tryton:
    secrets = {"user": "ada", "password": PASSWORD}
    return Tryton(Settings(base_url=BASE, options={"database": "crm", **options}, secrets=secrets))


def row(number: int, **more: Any) -> dict[str, Any]:
    shown = {"name": f"Party {number}", "active": 1, "replaced_by": None, "categories.": [], "lang.": None}
    stamps = {"last_modified_at": STAMP, "_timestamp": f"{number}.00001"}
    return {"id": number, "contact_mechanisms.": [], **shown, **stamps, **more}


def email(number: int, value: str) -> dict[str, Any]:
    return {"id": number, "type": "email", "value": value, "_timestamp": f"{number}.00002", "last_modified_at": STAMP}


def create(name: str, **consent: Any) -> Change:
    return Change(f"k-{name}", "create", None, {"name": name}, consent)


def update(number: int, version: str | None = None, **fields: Any) -> Change:
    return Change(f"k-{number}", "update", str(number), fields, version=version or f"{number}@{number}.00001")


def created(vlist: list[dict[str, Any]], _context: Any) -> Any:
    """As the real one: all or nothing, and no word about which row it was."""
    if any(values["name"] == "bad" for values in vlist):
        return Refusal(["UserError", ["The value of Bad Person is wrong", "", None]])
    return [100 + int(values["name"]) for values in vlist]


def by_id(domain: list[Any], *_rest: Any) -> list[dict[str, Any]]:
    return [row(number) for number in next(clause[2] for clause in domain if clause[0] == "id")]


def began_around_ten(at_us: int) -> bool:
    """The server's clock at the call: its answer's date, less the time the answer took."""
    return TEN_US - 1_000_000 < at_us <= TEN_US


@pytest.fixture
def wire():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
