"""The tests themselves, tested: each of these faults, put into a copy of the kernel, must be noticed."""

import pytest
from faults import FAULTS
from kernel_modules import Kernel, load, mutated
from suite import caught, suite


def test_the_suite_passes_a_copy_without_a_fault() -> None:
    suite(load({}))


def test_there_are_enough_faults() -> None:
    assert len({(module, old, new) for _, module, old, new in FAULTS}) == len(FAULTS) >= 40


@pytest.mark.parametrize(("module", "old", "new"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_every_fault_is_caught(module: str, old: str, new: str) -> None:
    faulty: Kernel = mutated(module, old, new)
    assert caught(faulty), "nothing noticed it"
