"""The table of the proof names every promise that the simulator's judge knows."""

import re
from pathlib import Path

import pytest

from tests.prove import PARTS, PROMISES

SIMULATION = Path(__file__).parent / "simulation"


def test_every_promise_that_is_judged_has_its_row() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in SIMULATION.glob("*.py"))
    judged = set(re.findall(r'"(I\d+|I-lease|no-[a-z]+)"', sources))
    assert judged == set(PROMISES)


def test_the_time_is_shared_out() -> None:
    assert sum(part.share for part in PARTS) == pytest.approx(1)
