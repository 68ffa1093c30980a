"""A round's progress as bars on stderr, when a person sits there. `rounds` uses it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flows.progress import Progress, Silent

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

    def __init__(self, drawn: object) -> None:
        self._drawn: object = drawn
        self._task: object = None

    def stage(self, name: str, total: int | None = None) -> None:
        self._task = self._drawn.add_task(STAGES.get(name, name), total=total)  # type: ignore[attr-defined]

    def advance(self, count: int) -> None:
        self._drawn.advance(self._task, count)  # type: ignore[attr-defined]
