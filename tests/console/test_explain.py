"""explain tells what the next run does, and of what it leaves alone what that waits for; values are the sides' own, not what was wished."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sandbox.handles import Twins
from tests.console.conftest import Command

WRITES = "batch/update"


def explained(syncline: Command, who: str) -> dict[str, Any]:
    [told] = syncline("explain", who, "--json").json["contacts"]
    return dict(told)


def of_field(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(field) for field in told["fields"] if field["field"] == name)


@pytest.fixture
def refused(pair: str, twins: Twins, syncline: Command) -> str:
    """Somebody whose new tag the CRM refuses."""
    twins.hubspot.edit("remove_option", field="marketing_tags", value="event")
    twins.mailchimp.edit("update", email=pair, fields={"tags": ["event"]})
    assert syncline("sync", "--json").json["pushed"]["held"] == 1
    return pair


@pytest.fixture
def paused(pair: str, twins: Twins, syncline: Command) -> str:
    """Somebody whose new last name could not be written."""
    twins.mailchimp.edit("update", email=pair, fields={"LNAME": "Byron"})
    twins.hubspot.faults(on=WRITES, kind="429", times=50, retry_after=600)
    assert syncline("sync").code == 5
    twins.hubspot.faults(clear=True, rate=False)
    return pair


def test_what_a_held_field_waits_for_is_told_and_no_next_run_promised(refused: str, syncline: Command) -> None:
    told, said = explained(syncline, refused), syncline("explain", refused).out
    assert (told["next"], told["waits"]) == ([], "waits for an edit of either record, or the next full run (nightly)")
    assert of_field(told, "tags")["next"] == []
    assert "Next run: nothing to do" in said and f"It {told['waits']}; then:" in said
    assert syncline("sync", "--json").json["decided"] == 0, "and so it is"


def test_a_refused_value_is_neither_agreed_nor_what_the_side_shows(refused: str, syncline: Command) -> None:
    told = explained(syncline, refused)
    assert told["later"] == ["tags: (blank) → event in the CRM  [union: both sides' elements are kept, removals too]"]
    tags = of_field(told, "tags")
    assert (tags["agreed"], tags["now"], tags["last"]["result"]) == (None, {"crm": None, "marketing": ["event"]}, "held:Rejected")
    assert "(held:Rejected)" in re.sub(r"\s+", " ", syncline("explain", refused).out)


def test_once_the_value_is_taken_it_is_agreed(refused: str, twins: Twins, syncline: Command) -> None:
    twins.hubspot.edit("add_option", field="marketing_tags", value="event")
    assert syncline("sync", "--full").code == 0
    told = explained(syncline, refused)
    assert (told["next"], told["later"], told["waits"]) == ([], [], None)
    assert of_field(told, "tags")["agreed"] == ["event"]


def test_a_failed_write_says_when_it_is_tried_again(paused: str, syncline: Command) -> None:
    told, said = explained(syncline, paused), syncline("explain", paused).out
    assert told["next"] == []
    assert told["later"] == ["last_name: (blank) → Byron in the CRM  [one_side: only marketing changed it]"]
    assert told["retry_at"] == syncline("status", "--json").json["retry_at"] is not None
    assert re.search(r"It is tried again after a failed write, from .* UTC on; then:\n  last_name: \(blank\) → Byron", said)


def test_an_edit_that_was_seen_is_the_next_runs(paused: str, twins: Twins, syncline: Command) -> None:
    twins.mailchimp.edit("update", email=paused, fields={"LNAME": "King"})
    assert syncline("plan").code == 0
    told = explained(syncline, paused)
    assert (told["next"], told["waits"]) == (["last_name: (blank) → King in the CRM  [one_side: only marketing changed it]"], None)
    assert of_field(told, "last_name")["next"] == told["next"]


def test_a_write_under_way_is_finished_first(paused: str, syncline: Command) -> None:
    with sqlite3.connect(Path(".syncline") / "state.sqlite") as connection:
        connection.execute(
            "INSERT INTO outbox (sync_id, run_id, phase, side, contact_id, kind, ref, key, body) SELECT sync_id, 4, 1, 0, contact_id,"
            " 'update', ref, 'k', '' FROM record WHERE side = 0"
        )
    connection.close()
    told = explained(syncline, paused)
    assert told["next"] == ["the write under way in the CRM is finished, and what follows is decided from its answer"]


def test_under_an_edited_mapping_the_next_run_decides_everybody_anew(refused: str, syncline: Command) -> None:
    mapping = Path("mapping.yaml")
    mapping.write_text(mapping.read_text().replace("on_blank: ignore ", "on_blank: clear "))
    told = explained(syncline, refused)
    assert any(line.startswith("tags: (blank) → event in the CRM") for line in told["next"])
    assert (told["later"], told["waits"]) == ([], None)
