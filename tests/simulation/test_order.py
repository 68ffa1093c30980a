"""I12 and I13: what a history ends in depends neither on the sizes of pages and batches, nor on one person whom a vendor never takes.

The vendors are never late here, and nobody acts in the middle of a round: then what happened before a round is the same however it is read.
Nor are the limits at their tightest: what a vendor never takes would ask for another yes after every sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import state.database
from syncline.records import SIDES
from tests.simulation.history import History, generate
from tests.simulation.play import play, run
from tests.simulation.world import World

FIRST, HISTORIES = 9000, 10
SIZES = ({"page": 50, "batch": 50}, {"page": 1, "batch": 1}, {"page": 3, "batch": 2})
CALM = ("create", "edit", "blank", "tag", "consent", "delete", "undelete", "round", "wait", "approve")
TOGETHER = ("address", "merge", "convert")
"""Acts by which one person's fate may hang on another's."""

Truth = dict[str, list[tuple[int, Mapping[str, Any]]]]


def calm(seed: int, sizes: Mapping[str, int], *also: str) -> History:
    history = generate(seed)
    setup = {**history.setup, "tight": False, **{side: {**history.setup[side], "sizes": {**sizes, "lag_s": 0}} for side in SIDES}}
    return replace(history, setup=setup, steps=tuple(step for step in history.steps if step["do"] in (*CALM, *also)))


def truth(history: History, poisoned: int | None = None) -> Truth:
    """(person, fields) of every live record once all is quiet, by side."""
    worlds: list[World] = []

    def prepare(world: World) -> None:
        worlds.append(world)
        world.vendors["marketing"].poisoned = poisoned

    assert play(history, prepare).violations == ()
    [world] = worlds
    return {side: sorted(((rec.who, rec.fields) for rec in world.vendors[side].live()), key=repr) for side in SIDES}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_pages_and_batches_of_any_size_end_alike(seed: int) -> None:
    one, *others = (truth(calm(seed, sizes, *TOGETHER)) for sizes in SIZES)
    assert one["crm"] and all(other == one for other in others)


def test_rows_inserted_in_blocks_of_any_size_end_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories are small: without this, hardly any would fill a block."""
    plain = [run(seed) for seed in range(FIRST, FIRST + HISTORIES)]
    monkeypatch.setattr(state.database, "BLOCK", 2)
    assert [run(seed) for seed in range(FIRST, FIRST + HISTORIES)] == plain
    assert all(one.log_bytes and one.violations == () for one in plain)


def test_one_person_whom_a_vendor_never_takes_changes_nothing_for_the_others() -> None:
    bitten = 0
    for seed in range(FIRST, FIRST + HISTORIES):
        plain, poisoned = (truth(calm(seed, SIZES[2]), who) for who in (None, 0))
        for side in SIDES:
            assert [rec for rec in plain[side] if rec[0] != 0] == [rec for rec in poisoned[side] if rec[0] != 0], f"seed {seed}"
        bitten += plain != poisoned
    assert bitten > HISTORIES // 2
