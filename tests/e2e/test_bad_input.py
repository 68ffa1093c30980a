"""Bad input, credentials, neighbours, databases: one clear message, the right exit code, nothing half-written, and then recovery.

Each case meets a sync with work to do (an edit, an opt-out and a create are waiting). The twins must be as before it, and the next good
run must finish the work, once. No message and no log line holds a secret or an address.
"""

from __future__ import annotations

import logging
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows.round import Report
from syncline.errors import AuthFailed, BudgetSpent, Forbidden, GuardTripped, MappingError, RateLimited, SyncError, Unreachable, UsageError
from tests.e2e.world import World

ADA, BOB, NEW = "ada@people.example", "bob@people.example", "new@people.example"
EVERY_READ = ("GET /crm/v3/objects/contacts", "POST /crm/v3/objects/contacts/search")
MEMBERS = "GET /3.0/lists/{list_id}/members"

pytestmark = pytest.mark.usefixtures("waits")


@pytest.fixture
def busy(world: World, caplog: pytest.LogCaptureFixture) -> World:
    """A sync in step, and then work to do."""
    caplog.set_level(logging.DEBUG)
    for email in (ADA, BOB):
        world.pair(email.partition("@")[0], {"firstname": "Name"}, {"FNAME": "Name"})
    world.settle()
    world.crm.edit("update", email=ADA, fields={"firstname": "Ada"})
    world.marketing.edit("unsubscribe", email=BOB)
    world.crm.edit("create", fields={"email": NEW, "firstname": "New"})
    world.mark()
    return world


def unchanged(world: World) -> None:
    assert (world.written("crm"), world.written("marketing")) == ([], [])


def recovers(world: World, log: pytest.LogCaptureFixture) -> None:
    """The next good run does what waited, once; nothing that was said on the way tells of people or secrets."""
    for twin in (world.crm, world.marketing):
        twin.faults(clear=True, rate=False)
    world.shift_s += 3600
    world.at_rest()
    assert (world.member(ADA)["FNAME"], world.crm_record(BOB)["hs_email_optout"], world.member(NEW)["FNAME"]) == ("Ada", "true", "New")
    assert len([effect for effect in world.written("marketing") if effect == ("FNAME", "Ada")]) == 1
    assert world.written("marketing").count(("create", NEW)) == 1
    discreet(world, log.text)


def discreet(world: World, text: str) -> None:
    for private in ("people.example", "@", world.crm.token, world.marketing.key):
        assert private not in text, private


def fails(world: World, error: type[SyncError], exit_code: int, *words: str, kind: str = "sync") -> Report:
    """One round that ends in this error, with a message that says these words and names nobody."""
    report = world.sync(kind)
    assert isinstance(report.error, error), report.error
    message = str(report.error)
    assert report.exit_code == exit_code
    assert [word for word in words if word not in message] == [], message
    assert len(message) < 400
    assert "Traceback" not in message
    discreet(world, message + str(report.as_dict()))
    with world.context() as context:
        last = context.sync.runs(1)[0]
    assert (last.status, last.message) == (report.status, message)
    return report


def refused(world: World, error: type[SyncError], *words: str) -> None:
    """A project that cannot even be opened."""
    calls = [twin.calls()["total"] for twin in (world.crm, world.marketing)]
    with pytest.raises(error) as caught, world.context():
        pass
    assert caught.value.exit_code == 2
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    discreet(world, str(caught.value))
    assert [twin.calls()["total"] for twin in (world.crm, world.marketing)] == calls, "no call was made"


def environment(world: World, monkeypatch: pytest.MonkeyPatch, **changes: str) -> Callable[[], None]:
    """The world's environment with some values changed, until the result is called."""
    plain = World.environ.fget
    assert plain is not None
    monkeypatch.setattr(World, "environ", property(lambda self: plain(self) | changes))
    return lambda: monkeypatch.setattr(World, "environ", property(plain))


# ---------------------------------------------------------------- the mapping


@pytest.mark.parametrize(
    ("swap", "words"),
    [
        (("version: 1", "version: [1"), ("mapping.yaml:",)),
        (("fields:", "feilds:"), ("mapping.yaml:", "feilds")),
        (("rule: furthest", "rule: farthest"), ("mapping.yaml:", "farthest")),
        (("direction: both", "direction: sideways"), ("mapping.yaml:", "sideways")),
    ],
)
def test_a_broken_mapping_is_refused_before_any_call(
    swap: tuple[str, str], words: tuple[str, ...], busy: World, caplog: pytest.LogCaptureFixture
) -> None:
    plain = busy.mapping
    busy.edit_mapping(swap)
    refused(busy, MappingError, *words)
    unchanged(busy)
    busy.mapping = plain
    recovers(busy, caplog)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"- just\n- a list\n", b"{}", None])
def test_a_mapping_that_is_none(body: bytes | None, busy: World, caplog: pytest.LogCaptureFixture) -> None:
    plain, busy.mapping = busy.mapping, busy.folder / "other.yaml"
    if body is not None:
        busy.mapping.write_bytes(body)
    refused(busy, SyncError, "other.yaml")
    unchanged(busy)
    busy.mapping = plain
    recovers(busy, caplog)


def test_a_mapped_field_that_the_vendor_does_not_have(busy: World, caplog: pytest.LogCaptureFixture) -> None:
    plain = busy.mapping
    busy.edit_mapping(("crm: firstname", "crm: forename"))
    fails(busy, MappingError, 2, "mapping.yaml:", "forename")
    unchanged(busy)
    busy.mapping = plain
    recovers(busy, caplog)


# ---------------------------------------------------------------- credentials and the network


@pytest.mark.parametrize("name", ["SYNCLINE_HUBSPOT_TOKEN", "SYNCLINE_MAILCHIMP_API_KEY"])
def test_a_wrong_token(name: str, busy: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    back = environment(busy, monkeypatch, **{name: "wrong-secret-us99"})
    report = fails(busy, AuthFailed, 2)
    assert "wrong-secret" not in str(report.error) + caplog.text
    unchanged(busy)
    back()
    recovers(busy, caplog)


@pytest.mark.parametrize("name", ["SYNCLINE_HUBSPOT_TOKEN", "SYNCLINE_MAILCHIMP_API_KEY"])
def test_a_missing_token(name: str, busy: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    back = environment(busy, monkeypatch, **{name: " "})
    refused(busy, UsageError, name)
    back()
    recovers(busy, caplog)


SCOPES = ["crm.objects.contacts.read", "crm.objects.contacts.write", "crm.schemas.contacts.read", "communication_preferences.read_write"]


@pytest.mark.parametrize("missing", SCOPES)
def test_a_missing_scope(missing: str, busy: World, caplog: pytest.LogCaptureFixture) -> None:
    busy.marketing.edit("update", email=ADA, fields={"LNAME": "Byron"})
    busy.crm.faults(scopes=[scope for scope in SCOPES if scope != missing])
    fails(busy, Forbidden, 2, kind="sweep")
    assert busy.written("crm") in ([], [("hs_email_optout", "true")]), "consent may go first; nothing is half-written"
    busy.crm.faults(clear=True, rate=False)
    recovers(busy, caplog)
    assert busy.crm_record(ADA)["lastname"] == "Byron"


@pytest.mark.parametrize("name", ["SYNCLINE_HUBSPOT_BASE_URL", "SYNCLINE_MAILCHIMP_BASE_URL"])
def test_a_host_that_nobody_answers_at(name: str, busy: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        back = environment(busy, monkeypatch, **{name: f"http://127.0.0.1:{taken.getsockname()[1]}"})
        fails(busy, Unreachable, 5, "cannot be reached")
    unchanged(busy)
    back()
    recovers(busy, caplog)


@pytest.mark.parametrize("status", [200, 403, 502])
@pytest.mark.parametrize("side", ["crm", "marketing"])
def test_a_vendor_that_answers_html(side: str, status: int, busy: World, caplog: pytest.LogCaptureFixture) -> None:
    for call in (*EVERY_READ, MEMBERS):
        getattr(busy, side).faults(on=call, kind="html", status=status, times=99)
    fails(busy, Unreachable if (side, status) != ("marketing", 403) else RateLimited, 5)
    unchanged(busy)
    recovers(busy, caplog)


def test_an_audience_that_does_not_exist(busy: World, caplog: pytest.LogCaptureFixture) -> None:
    plain = busy.mapping
    busy.edit_mapping(("audience: 8c1f00", "audience: nobody"))
    fails(busy, UsageError, 2, "audience", kind="sweep")
    unchanged(busy)
    busy.mapping = plain
    recovers(busy, caplog)


@pytest.mark.parametrize("budget", [1, 2, 4, 6, 8])
def test_a_call_budget_that_is_used_up_at_any_moment(
    budget: int, busy: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    back = environment(busy, monkeypatch, SYNCLINE_CALL_BUDGET=str(budget))
    report = busy.sync()
    assert report.error is None or isinstance(report.error, BudgetSpent)
    assert report.exit_code in (0, 1)
    back()
    recovers(busy, caplog)


def test_a_call_budget_that_is_no_number(busy: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    back = environment(busy, monkeypatch, SYNCLINE_CALL_BUDGET="plenty")
    refused(busy, UsageError, "SYNCLINE_CALL_BUDGET")
    back()
    recovers(busy, caplog)


# ---------------------------------------------------------------- sides that show too little


def test_an_empty_listing(busy: World, caplog: pytest.LogCaptureFixture) -> None:
    busy.settle()
    busy.later(3600)
    busy.settle()
    busy.mark()
    busy.crm.faults(on="contacts", kind="empty", times=99)
    report = fails(busy, GuardTripped, 3, "listed nothing", kind="sweep")
    assert report.status == "stopped"
    unchanged(busy)
    for twin in (busy.crm, busy.marketing):
        twin.faults(clear=True, rate=False)
    busy.at_rest("sweep")
    unchanged(busy)


# ---------------------------------------------------------------- the database


def database(world: World) -> Path:
    return world.folder / ".syncline" / "state.sqlite"


def spoil(world: World, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(database(world))) as connection, connection:
        connection.execute(statement, values)


def test_a_database_of_a_newer_version(busy: World, caplog: pytest.LogCaptureFixture) -> None:
    spoil(busy, "UPDATE alembic_version SET version_num = '9999'")
    refused(busy, UsageError, "newer", "upgrade Syncline")
    unchanged(busy)
    spoil(busy, "UPDATE alembic_version SET version_num = '0002'")
    recovers(busy, caplog)


def test_a_file_that_is_no_database(busy: World, caplog: pytest.LogCaptureFixture) -> None:
    path = database(busy)
    kept = path.read_bytes()
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    path.write_text("This is a shopping list.\n" * 400)
    refused(busy, UsageError, "database")
    unchanged(busy)
    assert path.read_text().startswith("This is a shopping list."), "nothing of somebody else's is overwritten"
    path.write_bytes(kept)
    recovers(busy, caplog)


@pytest.mark.parametrize(
    ("table", "column"),
    [("record", "seen"), ("record", "shadow"), ("contact", "view"), ("contact", "provenance"), ("contact", "agreed_us")],
)
@pytest.mark.parametrize("junk", ['{"firstname": "Ad', "[1, 2]"])
def test_a_row_that_cannot_be_read(table: str, column: str, junk: str, busy: World, caplog: pytest.LogCaptureFixture) -> None:
    with closing(sqlite3.connect(database(busy))) as connection:
        kept = connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
    spoil(busy, f"UPDATE {table} SET {column} = ?", junk)
    fails(busy, UsageError, 2, "the database is damaged", table)
    unchanged(busy)
    for row, text in kept:
        spoil(busy, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", text, row)
    recovers(busy, caplog)
