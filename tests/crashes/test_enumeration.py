"""A few histories with every crash, with fixed seeds; and engine faults that only a crash brings out. All: `python -m tests.crashes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

import flows.observe
import flows.round
from state.outbox import Outbox
from state.plans import Plans
from state.settling import Settling
from tests.crashes.enumeration import SHORT, enumerate_crashes


@pytest.mark.parametrize("seed", [1, 4])
def test_a_crash_at_any_boundary_makes_no_difference(seed: int) -> None:
    outcome = enumerate_crashes(seed, pairs=0)
    assert outcome.violations == []
    assert outcome.points == outcome.boundaries.total() > 30
    assert set(outcome.boundaries) == {"committed", "sent", "applied", "answered", "fsync"}


def test_a_second_crash_while_recovering_makes_none_either() -> None:
    outcome = enumerate_crashes(9, pairs=12)
    assert outcome.violations == []
    assert outcome.points == outcome.boundaries.total() < SHORT < outcome.pairs


def test_who_is_interrupted_and_cleans_up_does_no_harm_by_it() -> None:
    assert enumerate_crashes(4, pairs=0, interrupted=True).violations == []


def _unmarked(patch: pytest.MonkeyPatch) -> None:
    """A write is sent and nothing remembers it."""
    patch.setattr(Outbox, "mark_sending", lambda self, ids: None)


def _early_cursor(patch: pytest.MonkeyPatch) -> None:
    """The cursor moves before what it stands for is staged."""
    plain = flows.observe._stage

    def stage(context: Any, side: Any, pages: Any, found: Any) -> None:
        context.sync.stage(side, (), pages[-1].cursor)
        plain(context, side, pages, found)

    patch.setattr(flows.observe, "_stage", stage)


def _forgotten_outbox(patch: pytest.MonkeyPatch) -> None:
    """What an earlier run left is thrown away."""
    plain = flows.round._round

    def begin(context: Any, *more: Any) -> None:
        _execute(context.sync, "DELETE FROM outbox")
        plain(context, *more)

    patch.setattr(flows.round, "_round", begin)


def _decided_too_soon(patch: pytest.MonkeyPatch) -> None:
    """A record is done with as soon as a plan is made, not when it is committed."""
    plain = Plans.save_plan

    def save_plan(self: Plans, *more: Any) -> None:
        plain(self, *more)
        _execute(self, "UPDATE record SET dirty = 0")

    patch.setattr(Plans, "save_plan", save_plan)


def _settled_in_two(patch: pytest.MonkeyPatch) -> None:
    """The outbox row goes in a transaction of its own."""
    plain = Settling.settle

    def settle(self: Settling, run_id: int, results: Any, *more: Any) -> Any:
        for done in results:
            _execute(self, f"DELETE FROM outbox WHERE id = {done.row.id}")
        return plain(self, run_id, results, *more)

    patch.setattr(Settling, "settle", settle)


def _execute(part: Any, statement: str) -> None:
    with part._scope.write() as connection:
        connection.execute(sa.text(statement))


@pytest.mark.parametrize("fault", [_unmarked, _early_cursor, _forgotten_outbox, _decided_too_soon, _settled_in_two])
def test_an_engine_that_forgets_is_noticed(fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    assert enumerate_crashes(1, pairs=0, patience=1).violations
