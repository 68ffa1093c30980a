"""Odd words in a question are wrong usage or find nobody: never a defect, and never somebody else's answer."""

from __future__ import annotations

import pytest

from tests.console.conftest import Command

HUGE = "9" * 25
NO_TEXT = "\udcff"
"""What Python makes of an argument's byte that is no UTF-8."""


@pytest.mark.parametrize("who", ["²", "٣", HUGE, "9" * 5000, "0", "", " ", "a\nb", f"{'x' * 3000}@people.example"])
def test_who_is_nobody(pair: str, syncline: Command, who: str) -> None:
    for command in (("explain", who), ("log", "--contact", who)):
        said = syncline(*command)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("nobody here is known by that number or address")


@pytest.mark.parametrize("option", [("log", "--run"), ("plan", "--run"), ("sync", "--approve"), ("log", "--limit"), ("status", "--limit")])
@pytest.mark.parametrize("number", ["0", "-1", str(2**31), HUGE, "²"])
def test_numbers_that_no_run_and_no_limit_has(pair: str, syncline: Command, option: tuple[str, str], number: str) -> None:
    said = syncline(*option, number)
    assert (said.code, said.out) == (2, "")
    assert f"Invalid value for '{option[1]}'" in said.err


@pytest.mark.parametrize("since", ["", " ", "yesterday", "-2h", "²h", f"{HUGE}d", "9" * 5000 + "d"])
def test_times_that_are_none(pair: str, syncline: Command, since: str) -> None:
    said = syncline("log", "--since", since)
    assert (said.code, said.out) == (2, "")
    assert "is no time: write 2h, 3d" in said.err and len(said.err) < 200


@pytest.mark.parametrize("since", ["999999999w", "0001-01-01", "0001-01-01T00:00+14:00"])
def test_times_before_everything_show_everything(pair: str, syncline: Command, since: str) -> None:
    assert syncline("log", "--since", since, "--json").json == syncline("log", "--json").json


@pytest.mark.parametrize("command", [("explain", NO_TEXT), ("log", "--contact", NO_TEXT), ("log", "--field", NO_TEXT), ("status", NO_TEXT)])
def test_what_is_no_text(pair: str, syncline: Command, command: tuple[str, ...]) -> None:
    said = syncline(*command)
    assert (said.code, said.out, said.err) == (2, "", "an argument is no text in UTF-8; check how it was typed or pasted\n")


def test_a_contact_is_found_by_its_number_however_it_is_padded(pair: str, syncline: Command) -> None:
    assert syncline("explain", "1").code == syncline("explain", "0001").code == 0
