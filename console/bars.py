"""A round's progress as bars on stderr, when a person sits there. `rounds` uses it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.progress import Progress, Silent

if TYPE_CHECKING:
    from rich import progress as rich

STAGES = {"observe": "reading both sides", "decide": "deciding", "commit": "noting", "push": "writing"}


@contextmanager
def bars(*, quiet: bool = False) -> Iterator[Progress]:
    """Bars while the block runs; silence when asked for, or when stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    from rich import progress as rich

    from console.show import screen

    columns = (
        rich.SpinnerColumn(),
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
    )
    with rich.Progress(*columns, console=screen(stderr=True), transient=True) as drawn:
        yield _Bars(drawn)


class _Bars:
    """One bar a stage; of unknown length until told."""

    def __init__(self, drawn: rich.Progress) -> None:
        self._drawn = drawn
        self._task: rich.TaskID | None = None

    def stage(self, name: str, total: int | None = None) -> None:
        self._task = self._drawn.add_task(STAGES.get(name, name), total=total)

    def advance(self, count: int) -> None:
        if self._task is not None:
            self._drawn.advance(self._task, count)
