"""Time and cursors, end to end (F-01, F-03, F-05): rows that show late, clocks that disagree, local time that repeats itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.e2e.world import World

ADA = "ada@people.example"
SKEW_S = 420


def linked(world: World, **fields: str) -> None:
    world.pair("ada", {"firstname": "Ada", **fields}, {"FNAME": "Ada"})
    world.settle()
    world.mark()


def test_F_01_a_row_that_shows_after_the_cursor_has_passed_it_is_read_once(world: World) -> None:
    linked(world)
    world.later(600)
    world.sync()
    world.crm.faults(lag_s=6)
    world.crm.edit("update", email=ADA, fields={"firstname": "Ada Maria"})
    stamp_us = int((time.time() + 600) * 1_000_000)
    world.later(5)
    assert world.sync().pushed.applied == 0, "not in the index yet"
    with world.context() as context:
        cursor = context.sync.cursor("crm")
    assert cursor is not None and cursor.at_us > stamp_us + 3_000_000
    world.later(2)
    assert world.sync().pushed.applied == 1
    world.at_rest()
    assert world.written("marketing") == [("FNAME", "Ada Maria")]


@pytest.mark.parametrize("ahead", ["crm", "marketing"])
@pytest.mark.parametrize("last", ["crm", "marketing"])
def test_F_03_newest_wins_by_the_true_order_whatever_the_clocks_say(ahead: str, last: str, world: World) -> None:
    getattr(world, ahead).clock(advance_s=SKEW_S)
    linked(world)
    edits = {
        "crm": lambda: world.crm.edit("update", email=ADA, fields={"firstname": "From Sales"}),
        "marketing": lambda: world.marketing.edit("update", email=ADA, fields={"FNAME": "From Marketing"}),
    }
    first = "marketing" if last == "crm" else "crm"
    edits[first]()
    world.later(300)
    edits[last]()
    world.at_rest()
    wanted = "From Sales" if last == "crm" else "From Marketing"
    assert (world.crm_record(ADA)["firstname"], world.member(ADA)["FNAME"]) == (wanted, wanted)


@pytest.mark.parametrize("editor", ["crm", "marketing"])
def test_F_03_one_sided_edits_travel_from_both_sides_for_ever(editor: str, world: World) -> None:
    world.crm.clock(advance_s=SKEW_S)
    linked(world)
    for number in range(3):
        if editor == "crm":
            world.crm.edit("update", email=ADA, fields={"firstname": f"Ada {number}"})
        else:
            world.marketing.edit("update", email=ADA, fields={"FNAME": f"Ada {number}"})
        world.later(2)
        world.settle()
        assert (world.crm_record(ADA)["firstname"], world.member(ADA)["FNAME"]) == (f"Ada {number}", f"Ada {number}")


def test_F_03_a_retry_that_polls_nothing_still_knows_the_clocks(world: World, waits: list[float]) -> None:
    world.crm.clock(advance_s=SKEW_S)
    linked(world)
    world.crm.edit("update", email=ADA, fields={"firstname": "From Sales"})
    world.later(300)
    world.marketing.edit("update", email=ADA, fields={"FNAME": "From Marketing"})
    world.crm.faults(on="batch/update", kind="429", times=99)
    assert world.sync().status == "failed"
    world.crm.faults(clear=True)
    world.shift_s = 120
    report = world.sync("retry")
    assert (report.error, report.pushed.applied) == (None, 1)
    assert (world.crm_record(ADA)["firstname"], world.member(ADA)["FNAME"]) == ("From Marketing", "From Marketing")


@pytest.fixture(params=["Pacific/Kiritimati", "America/Anchorage"])
def far_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """This process lives at the edge of the day."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    os.environ.pop("TZ", None)
    time.tzset()


def test_F_05_a_birthday_does_not_move_a_day_on_its_round_trip(far_zone: str, world: World) -> None:
    linked(world, date_of_birth="1990-03-25")
    assert world.member(ADA)["BDAY"] == "1990-03-25"
    world.marketing.edit("update", email=ADA, fields={"BDAY": "1990-12-31"})
    world.at_rest()
    assert world.crm_record(ADA)["date_of_birth"] == "1990-12-31"
    world.crm.edit("update", email=ADA, fields={"date_of_birth": "1992-02-29"})
    world.at_rest()
    assert world.member(ADA)["BDAY"] == "1992-02-29"


@pytest.mark.parametrize(("sales", "marketing", "wanted"), [("00:50", "01:10", "Marketing"), ("01:10", "00:50", "Sales")])
def test_F_05_the_hour_that_comes_twice_keeps_its_order(
    sales: str, marketing: str, wanted: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dublin, 25 October 2026: 00:50Z is 01:50 by the wall, and 01:10Z, twenty minutes later, is 01:10 again."""
    for twin in (world.crm, world.marketing):
        twin.clock(now="2026-10-24T12:00:00Z", frozen=True, tick_ms=1000)
    linked(world)
    world.crm.clock(now=f"2026-10-25T{sales}:00Z")
    world.marketing.clock(now=f"2026-10-25T{marketing}:00Z")
    world.crm.edit("update", email=ADA, fields={"firstname": "Sales"})
    world.marketing.edit("update", email=ADA, fields={"FNAME": "Marketing"})
    for twin in (world.crm, world.marketing):
        twin.clock(now="2026-10-25T02:00:00Z")
    world.settle()
    assert (world.crm_record(ADA)["firstname"], world.member(ADA)["FNAME"]) == (wanted, wanted)
