"""The documentation as data: pages, their fenced blocks, their commands, their links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
SHELL = ("console", "sh")


@dataclass(frozen=True)
class Block:
    """One fenced block. `line`: where its text begins."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{name(self.page)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command line, the exit code it must end with, and the output shown below it ("…" stands for anything left out)."""

    where: str
    text: str
    exits: int
    shown: tuple[str, ...] = ()


def name(page: Path) -> str:
    """The page as people call it."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """The page's fenced blocks in these languages (all when none is named), in order."""
    text = page.read_text(encoding="utf-8")
    found = [Block(page, text.count("\n", 0, m.start(3)) + 1, m[2], m[3]) for m in FENCE.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


def commands(page: Path) -> list[Command]:
    """Every command of the page's console and sh blocks, in order."""
    return [command for block in blocks(page, *SHELL) for command in _commands(block)]


def _commands(block: Block) -> Iterator[Command]:
    """In `console`, a command follows `$ ` and its output comes below; in `sh`, every line is a command."""
    rows = list(enumerate(block.text.splitlines(), block.line))
    starts = [at for at, (_, row) in enumerate(rows) if (row.strip().startswith("$ ") if block.language == "console" else row.strip())]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        line, row = rows[start]
        text, _, note = row.strip().removeprefix("$ ").partition("  #")
        if text and not text.startswith("#"):
            code = re.search(r"exits (\d+)", note)
            shown = tuple(row.strip() for _, row in rows[start + 1 : end] if row.strip(" …"))
            yield Command(f"{name(block.page)}:{line}", text.strip(), int(code[1]) if code else 0, shown)


def links(page: Path) -> list[str]:
    """Targets of the page's links, outside code."""
    return LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8"))))


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
