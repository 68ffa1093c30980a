"""API faults, end to end (E-01 to E-08): real HTTP, a vendor that misbehaves on purpose, and its own list of effects as the judge."""

from __future__ import annotations

from collections import Counter

import pytest

from syncline.errors import AuthFailed
from tests.e2e.crash_wire import acting, searches, writes_members
from tests.e2e.world import World

LIST = "GET /crm/v3/objects/contacts"
CREATE = "POST /crm/v3/objects/contacts/batch/create"
MEMBERS = "POST /3.0/lists/{list_id}"


def people(count: int) -> list[str]:
    return [f"p{number:03d}" for number in range(count)]


def in_marketing(world: World, names: list[str], **fields: object) -> None:
    for name in names:
        world.marketing.edit("create", email=f"{name}@people.example", fields={"FNAME": name, "STAGE": "SQL", **fields})


def in_crm(world: World, names: list[str]) -> None:
    for name in names:
        world.crm.edit("create", fields={"email": f"{name}@people.example", "firstname": name})


def in_step(world: World, names: list[str]) -> None:
    for name in names:
        world.pair(name, {"firstname": name}, {"FNAME": name})
    world.settle()
    world.mark()


def births(world: World, side: str) -> Counter[str]:
    """How often we created each address."""
    key = "email" if side == "crm" else "email_address"
    return Counter(e["after"][key] for e in getattr(world, side).effects() if (e["actor"], e["op"]) == ("api", "create"))


def test_E_01_a_429_in_the_middle_of_a_batch_run_waits_and_goes_on(world: World, waits: list[float]) -> None:
    in_marketing(world, people(120))
    in_crm(world, ["ada"])
    world.crm.faults(on=CREATE, kind="429", after=1, retry_after=10)
    report = world.sync()
    assert report.error is None
    assert [wait for wait in waits if wait > 5] == [10.0], "one wait, as long as asked"
    assert births(world, "crm") == Counter(f"{name}@people.example" for name in people(120))
    assert births(world, "marketing") == {"ada@people.example": 1}
    world.at_rest()


def test_E_01_a_side_that_stays_shut_fails_alone_and_is_retried_in_time(world: World, waits: list[float]) -> None:
    in_marketing(world, people(3))
    in_crm(world, ["ada"])
    world.crm.faults(on=CREATE, kind="429", times=99)
    report = world.sync()
    assert (report.status, report.exit_code) == ("failed", 5)
    assert births(world, "marketing") == {"ada@people.example": 1}, "the other vendor's work goes on"
    assert not births(world, "crm")
    world.crm.faults(clear=True)
    world.shift_s = 30
    world.sync()
    assert not births(world, "crm"), "not before it is due"
    world.shift_s = 120
    world.sync("retry")
    assert not births(world, "crm"), "the retries make nobody: somebody may have made them meanwhile, and only a poll would tell"
    world.sync()
    assert set(births(world, "crm").values()) == {1}
    world.at_rest()


def test_E_01_a_wish_to_wait_longer_than_a_run_is_kept_by_the_next_ones(world: World, waits: list[float]) -> None:
    in_marketing(world, people(3))
    world.crm.faults(on=CREATE, kind="429", times=1, retry_after=1800)
    assert world.sync().exit_code == 5
    assert max(waits, default=0) < 120
    for shift_s, born in ((1700, 0), (1900, 3)):
        world.shift_s = shift_s
        world.sync()
        assert len(births(world, "crm")) == born
    world.at_rest()


def test_E_01_a_refused_item_is_not_sent_with_every_round_and_a_failing_one_ever_more_rarely(world: World, waits: list[float]) -> None:
    in_step(world, ["ada", "bob"])
    world.crm.edit("update", email="ada@people.example", fields={"lastname": "Byron"})
    world.marketing.faults(on=MEMBERS, kind="item_error", times=99)
    for _ in range(4):
        assert world.sync().exit_code == 1
    assert world.marketing.calls()["calls"][MEMBERS] == 1
    world.marketing.faults(clear=True, rate=False)
    world.settle("sweep")
    world.crm.edit("update", email="bob@people.example", fields={"lastname": "Boole"})
    world.marketing.faults(on=MEMBERS, kind="429", times=10_000)
    tried = []
    for minute in range(40):
        world.shift_s = 60 * minute + 1
        if world.sync("retry" if minute else "sync").exit_code == 5:
            tried.append(minute)
    assert tried == [0, 1, 3, 7, 15, 31]
    world.marketing.faults(clear=True, rate=False)
    world.shift_s += 3600
    world.at_rest()
    assert world.member("bob@people.example")["LNAME"] == "Boole"


def test_E_02_three_of_a_hundred_are_refused_and_ninety_seven_are_confirmed(world: World) -> None:
    names = people(100)
    world.edit_mapping(("overwrites: 20%", "overwrites: 100%"))
    in_step(world, names)
    ids = {record["email"]: record["id"] for record in world.crm.records()}
    for name in names:
        world.crm.edit("update", id=ids[f"{name}@people.example"], fields={"lastname": "Byrne"})
    world.marketing.faults(on=MEMBERS, kind="item_error", items=[0, 50, 99])
    report = world.sync()
    assert (report.pushed.applied, report.pushed.held) == (97, 3)
    assert (report.status, report.exit_code) == ("held", 1)
    assert sum(1 for member in world.marketing.records() if member.get("LNAME") == "Byrne") == 97
    results = Counter(row.result for row in world.log(field="last_name"))
    assert results == {"applied": 97, "held:Rejected": 3}
    world.mark()
    world.at_rest("sweep")
    assert world.written("marketing") == [("LNAME", "Byrne")] * 3, "only the three, whose shadow had not moved"
    assert world.holds() == []


def test_E_04_an_update_that_was_applied_without_an_answer_is_recognised(world: World) -> None:
    in_step(world, ["ada"])
    world.crm.edit("update", email="ada@people.example", fields={"firstname": "Ada Maria"})
    world.marketing.faults(on=MEMBERS, kind="timeout_after")
    report = world.sync()
    assert (report.error, report.pushed.applied) == (None, 1)
    assert world.written("marketing") == [("FNAME", "Ada Maria")]
    world.at_rest()
    assert world.written("marketing") == [("FNAME", "Ada Maria")]
    assert [(old, new) for _, old, new in world.changes("first_name")] == [("ada", "Ada Maria")], "one effect, one entry"


def test_E_04_an_edit_made_after_our_lost_write_is_not_overwritten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    in_step(world, ["ada"])
    world.crm.edit("update", email="ada@people.example", fields={"firstname": "Ada Maria"})
    world.marketing.faults(on=MEMBERS, kind="timeout_after")

    def somebody_edits() -> None:
        world.later(600)
        world.marketing.edit("update", email="ada@people.example", fields={"FNAME": "Countess Ada"})

    acting(monkeypatch, writes_members, somebody_edits)
    report = world.sync()
    assert (report.error, report.pushed.moved) == (None, 1)
    world.at_rest()
    assert world.member("ada@people.example")["FNAME"] == "Countess Ada"
    assert world.crm_record("ada@people.example")["firstname"] == "Countess Ada"
    assert world.written("marketing") == [("FNAME", "Ada Maria")]


@pytest.mark.parametrize("kind", ["timeout_after", "500_after", "html"])
def test_E_04_a_create_without_an_answer_is_looked_up_and_not_repeated(kind: str, world: World) -> None:
    in_marketing(world, ["ada"])
    in_crm(world, ["bob"])
    for twin, call in ((world.crm, CREATE), (world.marketing, MEMBERS)):
        twin.faults(on=call, kind=kind, status=502)
    world.settle()
    assert births(world, "crm") == {"ada@people.example": 1}
    assert births(world, "marketing") == {"bob@people.example": 1}
    world.at_rest()


@pytest.mark.parametrize("kind", ["500_before", "500_after", "timeout_before", "timeout_after"])
def test_E_04_an_opt_out_that_fails_just_after_the_birth_is_made_good(kind: str, world: World, waits: list[float]) -> None:
    in_marketing(world, ["ada"], status="unsubscribed")
    world.crm.faults(hold_s=0.02)
    world.crm.faults(on="unsubscribe-all", kind=kind, times=5)
    world.sync()
    world.at_rest()
    assert births(world, "crm") == {"ada@people.example": 1}
    assert world.crm_record("ada@people.example")["hs_email_optout"] == "true"


def test_E_04_a_create_whose_run_died_is_looked_up_even_when_that_fails_at_first(
    world: World, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    in_marketing(world, ["ada"])

    def die() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        acting(patch, lambda request: request.url.endswith("/batch/create"), die)
        world.sync()
    assert births(world, "crm") == {"ada@people.example": 1}
    world.crm.faults(on="batch/read", kind="429", times=99)
    assert world.sync().exit_code == 5
    world.crm.faults(clear=True, rate=False)
    world.at_rest()
    assert births(world, "crm") == {"ada@people.example": 1}
    assert world.crm.calls()["calls"][CREATE] == 1, "never blindly repeated"


@pytest.mark.parametrize("fault", [None, "timeout_after"])
def test_E_04_an_edit_of_a_record_whose_birth_we_did_not_hear_of_is_not_lost(
    fault: str | None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_crm(world, ["ada"])

    def edited_and_then(end: type[BaseException] | None) -> None:
        world.later(600)
        world.marketing.edit("update", email="ada@people.example", fields={"FNAME": "Countess Ada"})
        if end:
            raise end

    if fault:
        world.marketing.faults(on=MEMBERS, kind=fault)
        acting(monkeypatch, writes_members, lambda: edited_and_then(None))
        world.sync()
    else:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            acting(patch, writes_members, lambda: edited_and_then(KeyboardInterrupt))
            world.sync()
    world.at_rest()
    assert births(world, "marketing") == {"ada@people.example": 1}
    assert (world.crm_record("ada@people.example")["firstname"], world.member("ada@people.example")["FNAME"]) == ("Countess Ada",) * 2


def test_E_06_what_was_answered_before_a_token_expired_is_settled_at_once(world: World) -> None:
    """One batch of ours is two calls here: who is new, then who has changed."""
    in_step(world, ["ada"])
    world.marketing.edit("update", email="ada@people.example", fields={"FNAME": "Ada Maria"})
    in_marketing(world, ["new"])
    world.crm.faults(on="batch/update", kind="expire_token")
    report = world.sync()
    assert isinstance(report.error, AuthFailed)
    assert (report.pushed.applied, births(world, "crm")["new@people.example"]) == (1, 1)
    told = {row.entry.kind: row.result for row in world.log(run_id=report.run_id) if row.entry.kind in ("create", "change")}
    assert told == {"create": "applied", "change": "pending"}
    world.at_rest()
    assert world.crm_record("ada@people.example")["firstname"] == "Ada Maria"


def test_E_06_a_token_that_expires_while_listing_stops_the_run_and_the_next_goes_on_from_its_page(world: World) -> None:
    """Our connectors use static tokens: nothing can be refreshed, a person must act. What was read is kept, with its place."""
    names = people(130)
    in_crm(world, names)
    world.crm.faults(on=LIST, kind="expire_token", after=1)
    report = world.sync()
    assert isinstance(report.error, AuthFailed)
    assert (report.status, report.exit_code) == ("failed", 2)
    assert world.api_writes() == {"crm": 0, "marketing": 0}
    with world.context() as context:
        assert context.sync.live_count("crm") == 100
        cursor = context.sync.cursor("crm")
    assert cursor is not None and cursor.token
    world.crm.reset_calls()
    report = world.sync()
    assert world.crm.calls()["calls"][LIST] == 2, "the rest of the live ones, and the archived"
    assert births(world, "marketing") == Counter(f"{name}@people.example" for name in names)
    world.at_rest()


def test_E_08_a_row_that_moves_to_a_later_page_while_we_read_hides_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = people(45)
    world.edit_mapping(("overwrites: 20%", "overwrites: 100%"))
    monkeypatch.setattr("connectors.mailchimp.PAGE", 20)
    in_step(world, names)
    world.later(3600)
    for name in names:
        world.marketing.edit("update", email=f"{name}@people.example", fields={"LNAME": "Byrne"})
    polls = acting(
        monkeypatch,
        lambda request: request.method == "GET" and "/members?" in request.url,
        lambda: world.marketing.edit("update", email="p003@people.example", fields={"LNAME": "Burke"}),
    )
    world.later(2)
    world.sync()
    assert Counter(record.get("lastname") for record in world.crm.records()) in ({"Byrne": 44, None: 1}, {"Byrne": 45})
    world.later(2)
    world.settle()
    assert len([call for call in polls if "/members?" in call]) > 4
    shown = Counter(record.get("lastname") for record in world.crm.records())
    assert shown == {"Byrne": 44, "Burke": 1}
    entries = Counter((row.run_id, row.entry.contact_id) for row in world.log(field="last_name"))
    assert max(entries.values()) == 1, "a row seen twice is decided once"
    world.at_rest()


def test_E_08_a_search_that_shifts_while_we_read_hides_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = people(30)
    world.edit_mapping(("overwrites: 20%", "overwrites: 100%"))
    monkeypatch.setattr("connectors.hubspot_reads.SEARCH_PAGE", 10)
    in_step(world, names)
    ids = {record["email"]: record["id"] for record in world.crm.records()}
    for name in names:
        world.crm.edit("update", id=ids[f"{name}@people.example"], fields={"lastname": "Byrne"})
    acting(monkeypatch, searches, lambda: world.crm.edit("update", id=ids["p003@people.example"], fields={"lastname": "Burke"}))
    world.settle()
    assert Counter(member["LNAME"] for member in world.marketing.records()) == {"Byrne": 29, "Burke": 1}
    world.at_rest()
