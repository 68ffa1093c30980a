"""A child process that runs the scripted history and kills itself, with SIGKILL, at one numbered boundary.

A boundary is a moment at which the world has just changed, or is just about to: before and after each SQL commit, before each write that
is sent to a vendor and after its answer (applied, and not yet looked at), after each fsync. A read changes nothing.

The child is forked from a process that has everything imported: a crash costs a fork, not an interpreter.
"""

from __future__ import annotations

import mmap
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests.adapters
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

READS = ("/search", "/batch/read", "/access-token-info")


class Trace:
    """What a child last told: how many boundaries it has passed, and the name of the last. Its parent reads it when the child is dead."""

    SIZE = 256

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, self.SIZE)
        self.tell(0, "the start")

    def tell(self, count: int, name: str) -> None:
        self._shared[:] = f"{count} {name}".encode()[: self.SIZE].ljust(self.SIZE)

    def told(self) -> tuple[int, str]:
        count, _, name = self._shared[:].decode(errors="replace").rstrip().partition(" ")
        return int(count), name


@dataclass
class Boundaries:
    """Counts boundaries of this process; dies at number `fatal` (0: never). `names` tells what each was, for the report of a failure."""

    fatal: int = 0
    trace: Trace | None = None
    names: list[str] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)

    def tick(self, name: str) -> None:
        with self._lock:
            self.names.append(name)
            if self.trace:
                self.trace.tell(len(self.names), name)
            if len(self.names) == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """From now on this process passes through them. There is no way back: only children do this."""
        self._around_calls()
        self._around_commits()
        plain = os.fsync
        os.fsync = lambda fd: (plain(fd), self.tick("fsync"))[0]  # type: ignore[assignment]

    def _around_calls(self) -> None:
        plain = requests.adapters.HTTPAdapter.send

        def send(adapter: Any, request: Any, **options: Any) -> Any:
            path = str(request.url).split("?")[0].split("/", 3)[3]
            if request.method == "GET" or path.endswith(READS):
                return plain(adapter, request, **options)
            self.tick(f"before {request.method} {path}")
            answer = plain(adapter, request, **options)
            self.tick(f"after {request.method} {path}")
            return answer

        requests.adapters.HTTPAdapter.send = send  # type: ignore[method-assign]

    def _around_commits(self) -> None:
        writing = threading.local()
        plain = DefaultDialect.do_commit

        def before(connection: Any) -> None:
            writing.now = connection.get_execution_options().get("syncline_write", False)
            if writing.now:
                self.tick("before commit")

        def do_commit(dialect: Any, connection: Any) -> None:
            plain(dialect, connection)
            if getattr(writing, "now", False):
                writing.now = False
                self.tick("after commit")

        sa.event.listen(sa.Engine, "commit", before)
        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def forked(act: Callable[[], None], killed_after_s: float | None = None) -> int:
    """Run `act` in a child; its exit: 0 when it ended, 1 when it failed, -9 when it was killed: by itself, or from here after some time."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must not go on as a second test run
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    if killed_after_s is not None:
        time.sleep(killed_after_s)
        os.kill(child, signal.SIGKILL)  # not reaped yet: nobody else can have its number
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
