"""connectors.md: the example keeps the whole contract, is found by its entry point, and brings two systems in step."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from console.app import run
from sandbox.serve import start_twins
from syncline.ports import Capabilities, Connector, Settings
from syncline.testing import ConnectorContract
from tests.docs.cards_server import Server, cards_server
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "connectors.md"
CARDS, TEST = (block.text for block in blocks(PAGE, "python"))
(MAPPING,) = (block.text for block in blocks(PAGE, "yaml"))
(ENTRY_POINT,) = (block.text for block in blocks(PAGE, "toml"))
EXAMPLE: dict[str, Any] = {"__name__": "cards"}
exec(compile(CARDS, "docs/connectors.md", "exec"), EXAMPLE)
exec(
    compile(TEST, "docs/connectors.md", "exec"),
    EXAMPLE | {"ConnectorContract": ConnectorContract, "Settings": Settings, "pytest": pytest},
    globals(),
)


@pytest.fixture
def server() -> Iterator[Server]:
    with cards_server() as server:
        yield server


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example as a distribution of its own, installed."""
    (tmp_path / "cards.py").write_text(CARDS)
    facts = tmp_path / "cards-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: cards\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(ENTRY_POINT.replace('project.entry-points."', "").replace('"]', "]").replace('"', ""))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    registry._places.cache_clear()
    yield
    registry._places.cache_clear()
    sys.modules.pop("cards", None)


@pytest.fixture
def syncline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Run a command on the page's mapping; gives its exit code and document."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mapping.yaml").write_text(MAPPING)

    def call(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        return run([*words, "--json"]), json.loads(capsys.readouterr().out)

    return call


def test_it_syncs(installed: None, server: Server, syncline: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    ann = server.people.seed({"name": "Ann", "email": "ann@people.example"})
    with start_twins(0, rate=False) as twins:
        for name, value in {**twins.env(), "SYNCLINE_CARDS_TOKEN": server.token, "SYNCLINE_CARDS_BASE_URL": server.url}.items():
            monkeypatch.setenv(name, value)
        assert "cards" in {row["name"] for row in syncline("connectors")[1]["connectors"]}
        assert syncline("check")[0] == 0
        assert syncline("sync")[1]["pushed"]["applied"] == 1
        twins.mailchimp.edit("update", email="ann@people.example", fields={"FNAME": "Anna"})
        twins.mailchimp.edit("create", email="bob@people.example", fields={"FNAME": "Bob"})
        assert syncline("sync")[0] == 0
        assert server.people.rows[ann]["name"] == "Anna"
        assert server.people.count("name", "Bob") == 1
        server.people.edit(ann, {"opted_out": True})
        assert syncline("sync")[0] == 0
        status = {row["email_address"]: row["status"] for row in twins.mailchimp.records()}
        assert status["ann@people.example"] == "unsubscribed"
        assert syncline("sync")[1]["pushed"]["applied"] == 0
        assert syncline("verify")[1]["ok"]


def test_tables_name_the_whole_port() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{each.name}`" in text for each in fields(Capabilities))
    methods = {name for name, value in vars(Connector).items() if callable(value) and not name.startswith("_")}
    assert all(f"| `{method}(" in text for method in methods)
