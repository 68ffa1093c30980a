"""How a round tells how far it is. The command line draws it with rich, the Prefect flows as an artifact, tests not at all."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """`stage` begins a stage of unknown or known length; `advance` adds to it."""

    def stage(self, name: str, total: int | None = None) -> None: ...

    def advance(self, count: int) -> None: ...


class Silent:
    """Says nothing."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Nothing to show."""

    def advance(self, count: int) -> None:
        """Nothing to show."""
