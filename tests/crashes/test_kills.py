"""A few of the kills, with fixed seeds, on both databases. The whole sample is a command: see `kills`."""

from rich.console import Console

from tests.crashes import kills


def test_whoever_is_killed_the_next_run_reaches_the_same_end() -> None:
    tally = kills.sample(30, seed=1, share=0.5)
    kills.show(tally, Console())
    assert tally.violations == []
    assert tally.killed >= 30
    assert set(tally.kills) == {"sqlite", "postgres"}
