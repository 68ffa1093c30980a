"""A few of the kills, with fixed seeds, on both databases. The whole sample is a command: see `kills`."""

import random

import pytest
from rich.console import Console

from tests.crashes import kills
from tests.crashes.deaths import Course, Death, drawn
from tests.crashes.histories import history


@pytest.mark.parametrize(("share", "database"), [(0, "sqlite"), (1, "postgres")])
def test_whoever_is_killed_the_next_run_reaches_the_same_end(share: int, database: str) -> None:
    tally = kills.sample(10, seed=1, share=share)
    kills.show(tally, Console())
    assert tally.violations == []
    assert tally.killed >= 10
    assert set(tally.kills) == {database}


def test_histories_and_databases_are_the_same_for_the_same_seed() -> None:
    assert history(7) == history(7) != history(8)
    assert sum(kills.on_postgres(seed, 0.3) for seed in range(100)) == 30


def test_deaths_are_drawn_from_every_kind_of_boundary_and_from_every_moment() -> None:
    course = Course(["before commit", "after commit", "before POST /a", "after POST /a"] + ["before commit"] * 40, 2.0)
    deaths = [drawn(random.Random(n), course) for n in range(200)]
    assert {death.at for death in deaths} > {0, 2, 3, 4}
    moments = [death.after_s for death in deaths if death != Death(death.at)]
    assert 0 < min(moments) < 0.2 and 1.8 < max(moments) < 2.0
