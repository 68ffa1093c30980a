"""check: both accounts, both schemas, every problem with its line."""

from __future__ import annotations

from pathlib import Path

from tests.console.conftest import Command


def test_a_mapping_that_fits_says_so_and_names_both_accounts(connected: Path, syncline: Command) -> None:
    said = syncline("check")
    assert said.code == 0
    assert "HubSpot account" in said.out and "Sandbox audience" in said.out
    assert "mapping.yaml fits both systems" in said.out
    sides = syncline("check", "--json").json["sides"]
    assert sides["crm"]["error"] is None and sides["crm"]["fields"] > 20


def test_a_field_the_vendor_does_not_have_is_an_error_with_its_line(connected: Path, syncline: Command) -> None:
    text = Path("mapping.yaml").read_text()
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "crm: lead_source" in row)
    Path("mapping.yaml").write_text(text.replace("crm: lead_source", "crm: lead_sauce"))
    said = syncline("check")
    assert said.code == 2
    assert f"mapping.yaml:{line}: error: crm has no field lead_sauce: did you mean lead_source" in said.err
    problems = syncline("check", "--json").json["problems"]
    assert [p["line"] for p in problems if p["severity"] == "error"] == [line]


def test_one_sides_failure_does_not_hide_the_others_answer(connected: Path, monkeypatch, syncline: Command) -> None:
    monkeypatch.setenv("SYNCLINE_HUBSPOT_TOKEN", "wrong")
    said = syncline("check")
    assert said.code == 2
    assert "crm: " in said.err and "Traceback" not in said.err
    assert "marketing: Mailchimp Marketing" in said.out
