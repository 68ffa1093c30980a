"""What a round's end makes of its flow run; no server is asked."""

from __future__ import annotations

import pytest

from flows.deployed import outcome, summary
from flows.round import Report
from state.status import Paused
from syncline.errors import Unreachable


def test_only_a_run_in_step_completes_without_a_name_of_its_own() -> None:
    assert outcome(Report("sync"))["status"] == "in_step"
    assert outcome(Report("sync", status="held", open_holds=2)).name == "Held"
    assert outcome(Report("sync", status="stopped")).name == "AwaitingApproval"


def test_a_run_that_has_writes_to_try_again_says_so() -> None:
    report = Report("sync", status="failed", paused=Paused(3, 1_000))
    state = outcome(report)
    assert (state.name, state.message) == ("ToRetry", "3 wait to be tried again")
    assert {"what": "waiting to be tried again", "number": 3} in summary(report)


def test_an_error_fails_the_flow_run() -> None:
    with pytest.raises(Unreachable):
        outcome(Report("sync", status="failed", error=Unreachable("nobody answers")))
