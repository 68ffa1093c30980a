"""A reader in a folder of their own, whose environment ends with the page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.reader import Reader


@pytest.fixture
def reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Reader]:
    """No variable of ours is set when the page begins."""
    before, here = dict(os.environ), Path.cwd()
    for name in [name for name in os.environ if name.startswith("SYNCLINE_") or name == "COLUMNS"]:
        del os.environ[name]
    try:
        with ExitStack() as stack:
            yield Reader(tmp_path, capsys, stack)
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
