"""The CPU of a program's own work: everything since its clock was started, less what goes into importing, however late that comes.

Programs load some modules only when they need them. That is start-up all the same, which W0 judges; here it would be judged twice.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any


class WorkClock:
    """Runs from its making. Stands in front of Python's own finder of files, to see each import begin and end."""

    def __init__(self) -> None:
        self._importing = threading.local()
        self._imports_s = 0.0
        sys.meta_path.insert(sys.meta_path.index(PathFinder), self)  # type: ignore[arg-type]
        self._began_s = time.process_time()

    def seconds(self) -> float:
        """CPU seconds of all threads, user and system, without importing."""
        return time.process_time() - self._began_s - self._imports_s

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What Python's own finder says, with a loader whose time is taken."""
        with self._import():
            spec = PathFinder.find_spec(name, path, target)
        for step in ("create_module", "exec_module"):
            if spec and spec.loader:
                setattr(spec.loader, step, self._timed(getattr(spec.loader, step)))
        return spec

    def _timed(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def taken(*arguments: Any) -> Any:
            with self._import():
                return step(*arguments)

        return taken

    @contextmanager
    def _import(self) -> Iterator[None]:
        """Counts the outermost import of this thread; those within are part of it."""
        if getattr(self._importing, "now", False):
            yield
            return
        self._importing.now, began_s = True, time.thread_time()
        try:
            yield
        finally:
            self._importing.now = False
            self._imports_s += time.thread_time() - began_s
