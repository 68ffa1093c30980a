"""Whatever a page tells a reader to type works, in the order of the page, and says what the page shows.

README begins in an empty folder; every other page inside a project with keys to both systems.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Command, commands, name
from tests.docs.reader import Reader

PROJECT = (Command("start", "syncline init project", 0), Command("start", "cd project", 0))
TYPED = [page for page in PAGES if commands(page)]


@pytest.mark.parametrize("page", TYPED, ids=name)
def test_what_a_page_tells_you_to_type_works(page: Path, reader: Reader) -> None:
    if page != ROOT / "README.md":
        reader.connect()
        for command in PROJECT:
            reader.type(command)
    for command in commands(page):
        reader.type(command)


def test_a_reader_notices_what_a_page_gets_wrong(reader: Reader) -> None:
    reader.type(Command("here", "syncline init one", 0, ("one is a Syncline project. Next:", "4. syncline check … line by line")))
    with pytest.raises(AssertionError, match="ended with 2"):
        reader.type(Command("here", "syncline init one", 0))
    with pytest.raises(AssertionError, match="nothing like this was said"):
        reader.type(Command("here", "syncline --version", 0, ("version unknown",)))
    with pytest.raises(AssertionError, match="cannot type this"):
        reader.type(Command("here", "snycline plan", 0))
