"""conflict-rules.md: each "what happens" row is asked of the kernel, through the mapping above it.

A cell is what a side shows: `value`, `old → new`, with a time of change or of proof after a comma. Where neither side tells its old value,
both have changed. What must be agreed afterwards is printed bold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mappings.compile import compile_mapping
from syncline.conflict import Evidence
from syncline.mapping import Field
from syncline.merge import merge_field
from syncline.records import CRM, MARKETING, MISSING, SIDES, Proof
from tests.docs.pages import FENCE, ROOT, Block
from tests.docs.test_mapping_page import load_block

PAGE = ROOT / "docs" / "conflict-rules.md"
AGREED = "10:00"
"""When the two last agreed."""


@dataclass(frozen=True)
class Row:
    """One row of a section's table."""

    rule: str
    yaml: str
    cells: tuple[str, ...]


def rows() -> list[Row]:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = []
    for section in sections:
        yaml = next((m[3] for m in FENCE.finditer(section) if m[2] == "yaml"), None)
        for line in re.findall(r"^\|(.*\*\*.*)\|$", section, re.MULTILINE) if yaml else ():
            found.append(Row(section.split()[0], yaml or "", tuple(cell.strip() for cell in line.split("|"))))
    return found


def minutes_us(clock: str) -> int:
    hours, minutes = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000_000


def value(text: str, kind: str) -> Any:
    if text == "blank":
        return None
    return tuple(text.split(", ")) if kind == "set" else text


def shown(field: Field, cell: str) -> tuple[Any, Any, str]:
    """(value before, or MISSING when the cell does not tell; value now; what stands after the comma)."""
    text, note = (cell, "") if field.type == "set" else (re.split(r", ", cell + ", ", maxsplit=1))
    before, arrow, after = text.partition(" → ")
    now = value(after if arrow else before, field.type)
    return (value(before, field.type) if arrow else MISSING), now, note.strip(", ")


def decide(field: Field, cells: tuple[str, ...]) -> Any:
    """What is agreed of (agreed, CRM, marketing)."""
    agreed, *both = cells if len(cells) == 3 else ("", *cells)
    told = dict(zip(SIDES, (shown(field, cell) for cell in both), strict=True))
    now = {side: told[side][1] for side in SIDES}
    edited = any(told[side][0] is not MISSING for side in SIDES)
    base = {side: told[side][0] if told[side][0] is not MISSING else now[side] if edited else None for side in SIDES}
    if agreed:
        base = dict.fromkeys(SIDES, MISSING if agreed == "never" else value(agreed, field.type))
    clock = {side: told[side][2] for side in SIDES}
    at_us = {side: minutes_us(text) if re.fullmatch(r"\d\d:\d\d", text) else None for side, text in clock.items()}
    proof = {side: Proof("form", minutes_us(text[6:])) if text.startswith("proof ") else None for side, text in clock.items()}
    evidence = Evidence(at_us, {side: "record" if at_us[side] else "none" for side in SIDES}, proof, minutes_us(AGREED))
    native = {side: field.lenses[side].put(now[side], {}) for side in SIDES}
    decision = merge_field(field, base, now, evidence, native)
    if decision is None:
        return now[CRM] if field.canon(now[CRM]) == field.canon(now[MARKETING]) else "nothing"
    return "held" if decision.held else decision.value


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.rule}: {' | '.join(row.cells[:-1])}")
def test_what_happens_if(row: Row, tmp_path: Path) -> None:
    field = compile_mapping(load_block(Block(PAGE, 0, "yaml", row.yaml), tmp_path)).field(row.yaml.partition(":")[0])
    assert field.rule.name == row.rule
    expected = re.search(r"\*\*(.+?)\*\*", row.cells[-1])[1]  # type: ignore[index]
    agreed = decide(field, row.cells[:-1])
    assert (", ".join(agreed) if isinstance(agreed, tuple) else agreed) == expected


def test_every_rule_has_its_rows() -> None:
    from mappings.consistency_fields import RULES

    assert {row.rule for row in rows()} == set(RULES)
