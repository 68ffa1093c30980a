"""quality.yaml says of every connector what it keeps, and each `done` names a test that there is."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connectors.registry import BUILTIN

ROOT = Path(__file__).parents[2]
QUALITY: dict[str, Any] = YAML(typ="safe").load(ROOT / "connectors" / "quality.yaml")
CASES = [(name, rule) for name, rules in QUALITY["connectors"].items() for rule in rules]


def names_of_tests(*paths: Path) -> Iterator[str]:
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name


LAWS = set(names_of_tests(ROOT / "syncline" / "testing" / "contract.py"))
SHARED = set(names_of_tests(Path(__file__), ROOT / "tests" / "connectors" / "test_http_door.py"))


def own(name: str) -> list[Path]:
    """A connector's own tests."""
    return sorted((ROOT / "tests").rglob(f"test_{name}_*.py"))


def test_every_connector_answers_for_every_rule() -> None:
    assert set(QUALITY["connectors"]) == set(BUILTIN)
    assert all(set(rules) == set(QUALITY["rules"]) for rules in QUALITY["connectors"].values())


@pytest.mark.parametrize(("name", "rule"), CASES)
def test_an_answer_is_a_proof_or_a_reason(name: str, rule: str) -> None:
    ((state, told),) = QUALITY["connectors"][name][rule].items()
    assert state in ("done", "todo", "exempt")
    assert told
    if state == "done":
        laws = LAWS if any("(ConnectorContract)" in path.read_text() for path in own(name)) else set()
        assert told in laws | SHARED | set(names_of_tests(*own(name)))


def imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_only_the_door_speaks_http() -> None:
    wires = ("requests", "urllib3", "urllib.request", "http.", "httpx", "socket")
    speakers = {path.name for path in (ROOT / "connectors").glob("*.py") if any(name.startswith(wires) for name in imports(path))}
    assert speakers == {"http_wire.py"}


def test_connectors_know_nothing_of_the_other_rooms() -> None:
    rooms = {name.split(".")[0] for path in (ROOT / "connectors").glob("*.py") for name in imports(path)}
    assert not rooms & {"mappings", "state", "flows", "console", "sandbox"}


def test_a_third_party_needs_only_the_kernel_to_prove_itself() -> None:
    rooms = {name.split(".")[0] for path in (ROOT / "syncline" / "testing").glob("*.py") for name in imports(path)}
    assert not rooms & {"connectors", "mappings", "state", "flows", "console", "sandbox"}
