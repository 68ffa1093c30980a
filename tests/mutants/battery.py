"""What a faulty engine has to get past: tests that name its mechanism, paths of the model, histories of the simulator, crashes."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

KERNEL_TESTS = str(Path(__file__).resolve().parents[1] / "kernel")
WALKS, STEPS = range(20_000, 20_012), 12
MET = ("crm only", "round dies at 0", "made marketing2")
"""Somebody makes the very record that a dying round was about to make."""

HISTORIES = range(53, 75)
CRASHES = range(1, 5)


def noticed_by(tests: Sequence[str]) -> str:
    """The first check that fails, "" when the fault gets past all of them."""
    checks = chain(_named(tests), _paths(), _histories(), _crashes())
    try:
        return next((name for name, right in checks if not right), "")
    except Exception as error:  # noqa: BLE001 - a faulty engine may fail in any way
        return f"{type(error).__name__}: {error}".splitlines()[0][:100]


def _paths() -> Iterator[tuple[str, bool]]:
    sys.path.insert(0, KERNEL_TESTS)
    from kernel_modules import real
    from model_check import replayed, walk
    from model_replay import Replay, modelled_truth
    from test_model_replay import DEFECTS

    kernel = real()
    for number, path in enumerate((*DEFECTS.values(), MET, *(walk(kernel, seed, STEPS) for seed in WALKS))):
        yield f"path {number} of the model", Replay(path, f"mutant-{number}").truth() == modelled_truth(replayed(kernel, path))


def _histories() -> Iterator[tuple[str, bool]]:
    from tests.simulation.history import SEEDS, read
    from tests.simulation.play import play, run

    for path in sorted(SEEDS.glob("*.json")):
        yield f"seed {path.stem}", not play(read(path)).violations
    for seed in HISTORIES:
        yield f"history {seed}", not run(seed).violations


def _crashes() -> Iterator[tuple[str, bool]]:
    from tests.crashes.enumeration import enumerate_crashes

    for seed in CRASHES:
        yield f"crashes of history {seed}", not enumerate_crashes(seed, pairs=False, patience=1).violations


def _named(tests: Sequence[str]) -> Iterator[tuple[str, bool]]:
    import pytest

    for test in tests:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", test])
        yield test, result == 0
