"""The kernel touches nothing: read from its source text."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "syncline").glob("*.py"))
WORLDLY = {
    "asyncio", "datetime", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil",
    "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "zoneinfo",
}  # fmt: skip
CALLS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "globals", "breakpoint"}
METHODS = {"now", "utcnow", "today", "time", "monotonic", "getenv", "urandom"}


def _imports(tree: ast.Module) -> set[str]:
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in plain | named}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_kernel_imports_nothing_that_touches_the_world(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = _imports(tree) - {"syncline", "__future__"}
    assert imported <= set(sys.stdlib_module_names) and not imported & WORLDLY


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_kernel_calls_nothing_that_touches_the_world(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    asked = {node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    assert not called & CALLS and not asked & METHODS
    assert not any(isinstance(node, ast.Global | ast.Nonlocal | ast.Await) for node in nodes)


def test_there_is_a_kernel_to_read() -> None:
    assert {"merge", "planner", "conflict", "log"} <= {path.stem for path in FILES}


def test_imports_point_inward() -> None:
    """The contracts stand in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lint = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    contracts = project.get("tool", {}).get("importlinter", {}).get("contracts", [])
    if contracts:
        assert lint is not None, "import-linter belongs to the test extra"
        done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=50)
        assert done.returncode == 0, done.stdout + done.stderr
