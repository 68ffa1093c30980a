"""The kernel as one value, so that every check can be run against the real one and against a faulty copy of it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

NAMES = (
    "records", "errors", "cursor", "lens", "mapping", "ports", "log", "identity", "conflict", "merge", "plan",
    "draft", "births", "deaths", "planner", "guard",
)  # fmt: skip
"""In the order of their imports."""

Kernel = Any


def real() -> Kernel:
    """The kernel that everybody else imports."""
    return SimpleNamespace(**{name: importlib.import_module(f"syncline.{name}") for name in NAMES})


@cache
def source(name: str) -> str:
    spec = importlib.util.find_spec(f"syncline.{name}")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


@cache
def _code(name: str, text: str) -> CodeType:
    return compile(text, f"<syncline.{name}>", "exec")


def mutated(name: str, old: str, new: str) -> Kernel:
    """A second copy of the whole kernel, with `old` replaced by `new` in one module. `old` must stand there exactly once."""
    assert source(name).count(old) == 1, f"{name}: {old!r} stands there {source(name).count(old)} times"
    return load({name: source(name).replace(old, new)})


def load(texts: Mapping[str, str]) -> Kernel:
    """Run all kernel modules anew; `sys.modules` is as before afterwards."""
    kept = {name: module for name, module in sys.modules.items() if name.startswith("syncline.")}
    try:
        modules = {name: _run(name, texts.get(name, source(name))) for name in NAMES}
    finally:
        for name in [name for name in sys.modules if name.startswith("syncline.")]:
            del sys.modules[name]
        sys.modules.update(kept)
    return SimpleNamespace(**modules)


def _run(name: str, text: str) -> ModuleType:
    module = ModuleType(f"syncline.{name}")
    sys.modules[module.__name__] = module
    exec(_code(name, text), module.__dict__)
    return module
