"""Where databases and mappings of a run of histories live: in memory where the system has a place for that, gone when the program ends."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from state.store import Store

MEMORY = Path("/dev/shm")


@cache
def scratch() -> Path:
    """This program's folder."""
    folder = Path(tempfile.mkdtemp(prefix="syncline-simulation-", dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def empty_database() -> Path:
    """A database with its tables and nothing in them, to be copied."""
    path = scratch() / "empty.sqlite"
    Store.open(f"sqlite:///{path}").close()
    return path
