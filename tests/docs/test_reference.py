"""Nothing undocumented, nothing invented: commands, flags, exit codes, variables, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from connectors.registry import available, variable
from console.app import app
from flows import settings
from flows.deployed import environment
from syncline import __version__, errors
from tests.docs.pages import FENCE, PAGES, ROOT, anchors, commands, links, name

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
EVERYTHING = {page: page.read_text(encoding="utf-8") for page in PAGES}


def flags(command: str) -> set[str]:
    return {word for option in COMMANDS[command].params for word in option.opts if word.startswith("--")} | {"--help"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_flag_has_its_line(command: str) -> None:
    """In the table of commands of operations.md."""
    row = next((row for row in OPERATIONS.splitlines() if row.startswith(f"| `{command}`")), "")
    assert row, f"docs/operations.md has no row for `{command}`"
    missing = {flag for flag in flags(command) - {"--help"} if flag not in row}
    assert not missing, f"docs/operations.md: the row of `{command}` lacks {missing}"
    invented = set(re.findall(r"--[a-z][\w-]*", row)) - flags(command)
    assert not invented, f"docs/operations.md: `{command}` has no {invented}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_inline_commands_are_real(page: Path) -> None:
    """`syncline …` between backticks, anywhere in running text."""
    for words in re.findall(r"`syncline ([^`\n]+)`", FENCE.sub("", EVERYTHING[page])):
        command, *rest = words.split()
        if command.startswith("-"):
            assert command in ("--help", "--version", "--project"), f"{name(page)}: syncline {words}"
            continue
        assert command in COMMANDS, f"{name(page)}: there is no `syncline {command}`"
        assert {word for word in rest if word.startswith("--")} <= flags(command), f"{name(page)}: `syncline {words}`"


def test_every_command_is_typed_somewhere() -> None:
    typed = {command.text.split()[1] for page in PAGES for command in commands(page) if command.text.startswith("syncline ")}
    assert set(COMMANDS) <= typed


def test_every_error_has_its_exit_code_in_the_table() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SyncError)]
    rows = {int(row[0]): row[1] for row in re.findall(r"^\| (\d+) \|(.+)\|$", OPERATIONS, re.MULTILINE)}
    stops = [kind for kind in kinds if kind is not errors.SyncError and kind.recovery is errors.Recovery.STOP]
    assert all(kind.__name__ in rows[kind.exit_code] for kind in stops)
    assert set(rows) >= {0, 1, 2, 3, 4, 5, 130}


def test_every_variable_has_its_line() -> None:
    ours = {settings.DATABASE, settings.CHECKPOINTS, settings.CALL_BUDGET, "SYNCLINE_TRACEBACK"}
    theirs = {variable(info.name, part) for info in available() for part in (*info.secrets, "base_url")}
    for wanted in ours | theirs:
        assert f"`{wanted}`" in OPERATIONS, f"docs/operations.md does not name {wanted}"
    known = ours | theirs | {"SYNCLINE_CARDS_TOKEN", "SYNCLINE_CARDS_BASE_URL"}
    named = {word for text in EVERYTHING.values() for word in re.findall(r"SYNCLINE_[A-Z_]+[A-Z]", text)}
    assert named <= known, f"nobody reads {named - known}"


def test_every_secret_has_the_block_that_the_flows_would_ask_for() -> None:
    deploy = EVERYTHING[ROOT / "docs" / "deploy.md"]
    assert environment.__doc__ and "syncline-hubspot-token" in environment.__doc__
    for info in available():
        for secret in info.secrets:
            assert f"`{variable(info.name, secret).lower().replace('_', '-')}`" in deploy


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name(page)}: {target} leads nowhere"
        assert not anchor or anchor in anchors(there), f"{name(page)}: {target}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            ahead += [(page.parent / t.partition("#")[0]).resolve() for t in links(page) if not re.match(r"[a-z]+:|#", t)]
    assert {name(page) for page in PAGES} <= {name(page) for page in seen}


def test_every_make_target_is_real() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {target for text in EVERYTHING.values() for target in re.findall(r"`make (?:-n )?([\w-]+)`", text)}
    assert named
    assert named <= targets


def test_prefect_is_typed_as_prefect_yaml_says() -> None:
    """Those three commands are run for real in tests/deployed."""
    said = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    typed = {command.text for page in PAGES for command in commands(page) if command.text.startswith("prefect ")}
    assert {text for text in typed if not text.startswith("prefect server start ")} == set(re.findall(r"#   (prefect .+)", said))


def test_the_change_log_of_versions_knows_this_one() -> None:
    assert f"## {__version__}" in EVERYTHING[ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")), ids=name)
def test_a_decision_is_short_and_whole(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 30
    assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequence"))


def test_files_named_in_the_text_exist() -> None:
    """`syncline/merge.py` and the like, between backticks."""
    for page, text in EVERYTHING.items():
        for path in re.findall(r"`((?:syncline|connectors|mappings|state|flows|console|sandbox|tests|benchmarks|docs)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{name(page)}: there is no {path}"
