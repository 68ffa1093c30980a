"""The options that several commands share, and where a mapping is looked for. Commands import it; light."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncline.errors import UsageError

DEFAULT = Path("mapping.yaml")

Mapping = Annotated[Path | None, typer.Argument(metavar="[MAPPING]", help="The mapping file; mapping.yaml here when left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
MOST = 2**31 - 1
"""No run or count is larger, in any database."""

Limit = Annotated[int, typer.Option(min=1, max=MOST, help="Show at most so many.")]


def mapping_file(given: Path | None) -> Path:
    """The mapping to use. Raises UsageError when none is named and there is no mapping.yaml."""
    if given is not None:
        return given
    if DEFAULT.is_file():
        return DEFAULT
    raise UsageError("name a mapping file: there is no mapping.yaml here (`syncline init DIR` makes a project)")
