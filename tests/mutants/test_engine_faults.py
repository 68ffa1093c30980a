"""The list of faults fits the engine as it is, and the machinery that puts them in works. All: `python -m tests.mutants`."""

import pytest

from tests.mutants.__main__ import Mutant, tried
from tests.mutants.engine_faults import ENGINE_FAULTS, ROOT, Fault


def test_there_are_enough_and_no_two_alike() -> None:
    assert len({(fault.module, fault.old, fault.new) for fault in ENGINE_FAULTS}) == len(ENGINE_FAULTS) >= 60


@pytest.mark.parametrize("fault", ENGINE_FAULTS, ids=[fault.what for fault in ENGINE_FAULTS])
def test_each_stands_where_it_says_and_is_a_program(fault: Fault) -> None:
    compile(fault.text(), str(fault.path), "exec")
    assert all((ROOT / test.partition("::")[0]).exists() for test in fault.tests)


def test_one_of_them_in_a_process_of_its_own() -> None:
    number = next(number for number, fault in enumerate(ENGINE_FAULTS) if fault.what == "no receipt in the log")
    assert tried(Mutant("engine", number, "", "")).noticed_by
