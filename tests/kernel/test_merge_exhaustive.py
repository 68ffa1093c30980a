"""Every combination of six values, eight rules, three directions, four orders of evidence, with and without a side that shortens."""

import pytest
from kernel_modules import Kernel
from merge_cases import cases, cases_after_echo
from merge_checks import agrees_with_the_oracle, losses_are_logged, mirrors, settles
from oracle import SETTINGS

pytestmark = pytest.mark.parametrize("setting", SETTINGS)


def test_every_case_comes_out_as_in_the_table(kernel: Kernel, setting: str) -> None:
    assert agrees_with_the_oracle(kernel, cases(setting)) * len(SETTINGS) == 41_472


def test_every_case_with_a_base_per_side_comes_out_as_in_the_table(kernel: Kernel, setting: str) -> None:
    assert agrees_with_the_oracle(kernel, cases_after_echo(setting)) == 1_280


def test_no_side_is_favoured_by_name(kernel: Kernel, setting: str) -> None:
    mirrors(kernel, cases(setting))
    mirrors(kernel, cases_after_echo(setting))


def test_every_loss_leaves_a_log_entry(kernel: Kernel, setting: str) -> None:
    assert losses_are_logged(kernel, cases(setting)) > 300 and losses_are_logged(kernel, cases_after_echo(setting)) > 50


def test_a_written_decision_needs_no_second_one(kernel: Kernel, setting: str) -> None:
    settles(kernel, cases(setting))
    settles(kernel, cases_after_echo(setting))
