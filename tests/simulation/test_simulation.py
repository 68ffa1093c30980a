"""A few dozen histories, every seed that ever failed, the same seed twice; and that the judge can say no.

Many more are played by `python -m tests.simulation`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation import judge
from tests.simulation.history import SEEDS, generate, read
from tests.simulation.play import play, run, stabilize
from tests.simulation.world import Violation, World

FIRST, HISTORIES = 53, 22


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_history(seed: int) -> None:
    assert run(seed).violations == ()


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.json")), ids=lambda path: path.stem)
def test_a_seed_that_failed_once(path: Path) -> None:
    assert play(read(path)).violations == ()


def test_an_older_copy_is_no_proof_that_a_write_was_made() -> None:
    """A late poll still shows the value that is about to be put back."""
    log = play(read(SEEDS / "I14-900127.json")).log_bytes.decode().splitlines()
    assert "field='company'" in log[9] and "result='moved'" in log[9]
    assert "field='company'" in log[12] and "result='applied'" in log[12]


def test_a_create_that_is_asked_to_come_later_keeps_its_key() -> None:
    """Its first try was never answered: decided anew, under another key, it would make the record twice."""
    log = play(read(SEEDS / "I9-asked-later.json")).log_bytes.decode()
    assert log.count("kind='create'") == 1 and "failed:" not in log


def test_what_a_late_index_shows_of_who_was_merged_away_is_heard() -> None:
    """The merge was learnt first: by id, the vendor shows nothing of that record any more."""
    log = play(read(SEEDS / "I11-last-words.json")).log_bytes.decode()
    assert log.count("new='opted_out'") == 1


@pytest.mark.parametrize("seed", (FIRST, FIRST + 7, FIRST + 11))
def test_the_same_seed_gives_the_same_log(seed: int) -> None:
    one, two = run(seed), run(seed)
    assert one.log_bytes and one == two


def _settled(seed: int) -> World:
    history = generate(seed)
    world = World(history.setup, f"{history.seed}-tampered")
    for step in history.steps[:30]:
        world.do(step)
    stabilize(world)
    judge.judge(world)
    assert world.violations == []
    return world


def _broken(world: World) -> set[str]:
    judge.judge(world)
    found = {violation.invariant for violation in world.violations if isinstance(violation, Violation)}
    world.close()
    return found


def test_a_value_changed_behind_our_back_is_noticed() -> None:
    world = _settled(FIRST)
    rec, _ = next(judge.pairs(judge.case_of(world)))
    vendor = world.vendors["crm"]
    vendor.records[rec.ref][-1] = (0, replace(rec, fields={**rec.fields, "last": "nobody wrote this"}))
    assert "I1" in _broken(world)


def test_an_overwritten_edit_that_no_log_names_is_noticed() -> None:
    world = _settled(FIRST)
    rec, _ = next(judge.pairs(judge.case_of(world)))
    vendor = world.vendors["crm"]
    edited = vendor.edit(rec, {"city": "q9999"}, "people")
    vendor.put(edited, replace(edited, fields=rec.fields), "1-1-crm-update", "update", ("city",))
    assert "I2" in _broken(world)


def test_a_subscription_nobody_asked_for_is_noticed() -> None:
    world = _settled(next(seed for seed in range(FIRST, FIRST + 50) if generate(seed).setup["marketing"]["profile"] == "chimp"))
    vendor = world.vendors["marketing"]
    rec = vendor.live()[0]
    out = vendor.edit(rec, {"consent": "unsubscribed"}, "people")
    vendor.put(out, replace(out, fields={**out.fields, "consent": "subscribed"}), "1-1-marketing-consent", "consent", ("consent",))
    assert "I11" in _broken(world)
