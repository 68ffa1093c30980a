"""A write that failed waits out its pause, end to end: nobody says "in step" meanwhile, and everybody says until when."""

from __future__ import annotations

import pytest

from tests.e2e.test_cases_fields import ADA, linked, marketing_edit
from tests.e2e.world import World


@pytest.fixture
def paused(world: World, waits: list[float]) -> World:
    """Ada, whose new last name the CRM would not take just now, and who answers again."""
    linked(world)
    marketing_edit(world, LNAME="Byron")
    world.crm.faults(on="batch/update", kind="429", times=50, retry_after=1)
    report = world.sync()
    assert (report.status, report.exit_code, report.paused.contacts) == ("failed", 5, 1)
    world.crm.faults(clear=True, rate=False)
    return world


@pytest.mark.parametrize("kind", ["sync", "retry", "sweep"])
def test_no_run_is_in_step_while_a_failed_write_waits_out_its_pause(paused: World, kind: str) -> None:
    report = paused.sync(kind)
    assert paused.crm_record(ADA).get("lastname") in (None, "")
    assert (report.status, report.exit_code, report.error) == ("failed", 1, None)
    assert (report.paused.contacts, report.pushed.failed) == (1, 0)
    with paused.context() as context:
        now_us = context.clock()
    assert report.paused.first_us is not None and now_us < report.paused.first_us <= now_us + 60_000_000


def test_once_it_was_tried_again_nothing_waits(paused: World) -> None:
    paused.shift_s = 61
    report = paused.sync("retry")
    assert (report.status, report.exit_code, report.pushed.applied) == ("in_step", 0, 1)
    assert (report.paused.contacts, report.paused.first_us) == (0, None)
    assert paused.crm_record(ADA)["lastname"] == "Byron"
    paused.at_rest()


def test_a_pause_that_an_edit_cut_short_is_not_waited_for(paused: World) -> None:
    marketing_edit(paused, LNAME="King")
    report = paused.sync()
    assert (report.status, report.exit_code, report.pushed.applied) == ("in_step", 0, 1)
    assert paused.crm_record(ADA)["lastname"] == "King"


def test_a_round_that_makes_nobody_is_not_in_step_while_somebody_is_to_be_made(world: World, waits: list[float]) -> None:
    world.marketing.edit("create", email=ADA, fields={"FNAME": "Ada", "STAGE": "SQL"})
    world.crm.faults(on="batch/create", kind="429", times=50, retry_after=1)
    assert world.sync().exit_code == 5
    world.crm.faults(clear=True, rate=False)
    world.shift_s = 61
    assert (world.sync("retry").status, world.sync().status) == ("failed", "in_step")
    assert world.crm_record(ADA)["firstname"] == "Ada"
