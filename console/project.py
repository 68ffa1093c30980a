"""`syncline init`: a folder with everything a sync needs, ready to be edited. It never overwrites anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncline.errors import UsageError

FILES = {
    "mapping.yaml": ("mappings", "contacts.yaml"),
    "schema.json": ("mappings", "schema.json"),
    ".env.example": ("console", "template/env.example"),
    ".gitignore": ("console", "template/gitignore"),
    "prefect.yaml": ("console", "template/prefect.yaml"),
}
"""File of a project → the package and the file in it that it is a copy of."""

NEXT = """\
{folder} is a Syncline project. Next:
  1. cd {folder}
  2. cp .env.example .env       and fill in the two systems' keys (or try it without: syncline sandbox --dir . && cp sandbox.env .env)
  3. edit mapping.yaml          your audience's id, your fields, your rules
  4. syncline check             says what is wrong with it, line by line
  5. syncline plan              shows what a run would do, and writes nothing
  6. syncline sync              does it; the first run may stop at its limits and ask for your approval"""


def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder, new or yours; nothing in it is overwritten.")]) -> int:
    """Create a project: mapping, schema, .env.example, prefect.yaml, .gitignore."""
    from importlib.resources import files

    taken = [name for name in FILES if (folder / name).exists()]
    if taken:
        raise UsageError(f"{folder} has {', '.join(taken)} already; nothing was written")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (package, source) in FILES.items():
            (folder / name).write_bytes(files(package).joinpath(source).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None
    typer.echo(NEXT.format(folder=folder))
    return 0
