"""mapping.md, conflict-rules.md and consent.md: every YAML block is a mapping, or a part of one, that loads (or is refused as it says)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from mappings import schema
from mappings.compile import compile_mapping
from mappings.consistency_fields import ON_TYPES, RULES
from mappings.load import TYPES, load_text
from syncline.errors import MappingError
from syncline.guard import WEIGHED
from syncline.ports import FieldInfo, Schema
from tests.docs.pages import PAGES, ROOT, Block, blocks

PAGE = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
MODELS = [kind for kind in vars(schema).values() if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not schema.Strict]
WORDS = sorted({info.alias or word for kind in MODELS for word, info in kind.model_fields.items()})
YAML_BLOCKS = [block for page in PAGES for block in blocks(page, "yaml")]
READER = YAML(typ="safe")
BASE: dict[str, Any] = {
    "version": 1, "name": "contacts",
    "sides": {
        "crm": {"connector": "hubspot", "object": "contacts"},
        "marketing": {"connector": "mailchimp", "object": "members", "options": {"audience": "8c1f00"}},
    },
    "identity": {"match": ["email"]},
    "fields": {"email": {"crm": "email", "marketing": "email_address", "type": "email"}},
}  # fmt: skip
STAGE = {
    "crm": "lifecyclestage", "marketing": "merge_fields.STAGE",
    "transform": {"choices": {"lead": ["lead", "LEAD"], "customer": ["customer", "CUST"]}},
}  # fmt: skip


def whole(block: Block) -> dict[str, Any]:
    """A block alone, as sections of a mapping, or as fields of one, put onto the smallest mapping."""
    data = READER.load(block.text)
    if "version" in data:
        return data
    sections = set(data) & set(schema.MappingModel.model_fields)
    parts = data if sections else {"fields": data}
    fields = {**BASE["fields"], **({"stage": STAGE} if sections else {}), **parts.get("fields", {})}
    return {**BASE, **parts, "fields": fields}


def load_block(block: Block, folder: Path) -> Any:
    file = folder / "mapping.yaml"
    with file.open("w") as stream:
        READER.dump(whole(block), stream)
    return load_text(file.read_text(), block.where)


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=lambda block: block.where)
def test_a_block_loads_or_is_refused_as_it_says(block: Block, tmp_path: Path) -> None:
    refused = re.search(r"^# refused: (.+)$", block.text, re.MULTILINE)
    if refused is None:
        assert compile_mapping(load_block(block, tmp_path)).version
        return
    with pytest.raises(MappingError) as caught:
        load_block(block, tmp_path)
    assert refused[1] in str(caught.value)


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_language_is_on_the_page(word: str) -> None:
    assert re.search(rf"`[^`\n]*\b{word}\b[^`\n]*`", PAGE) or re.search(rf"\b{word}:", PAGE), f"docs/mapping.md never says {word}"


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    below = PAGE.split(f"{heading}\n", 1)[1]
    rows = re.search(r"(?:^\|.*\|\n)+", below, re.MULTILINE)[0].splitlines()[2:]  # type: ignore[index]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def first_words(heading: str) -> set[str]:
    return {re.search(r"`([^`]+)`", row[0])[1] for row in table(heading)}  # type: ignore[index]


def test_tables_name_exactly_what_there_is() -> None:
    assert first_words("## Transforms") == set(ON_TYPES)
    assert first_words("## Types") == set(TYPES)
    assert first_words("### Rules") == set(RULES)
    assert first_words("### Limits") == {*WEIGHED, "empty_side"}
    assert first_words("## A field") == {info.alias or word for word, info in schema.FieldModel.model_fields.items()}
    assert first_words("### Conditions") == {info.alias or word for word, info in schema.PredicateModel.model_fields.items()}


def test_transforms_name_their_types() -> None:
    for row in table("## Transforms"):
        word = re.search(r"`([^`]+)`", row[0])[1]  # type: ignore[index]
        assert set(re.findall(r"\w+", row[1])) == ON_TYPES[word], word


EXAMPLE = re.compile(r"`(.+?)` → `(.+?)`")


@pytest.mark.parametrize("row", table("### What is read and written"), ids=lambda row: row[0])
def test_examples_of_values_come_true(row: list[str]) -> None:
    """| transform of the CRM's side | type | CRM shows → meaning | meaning → marketing is written |."""
    written, kind, reads, writes = row
    transform = READER.load(written.strip("`")) if written.strip("`") != "none" else {}
    field = {"crm": "a", "marketing": "b", "type": kind.strip("`"), "transform": transform}
    if "const" in transform:
        field |= {"when": "create"}
    mapping = compile_mapping(_loaded(field), None, {side: Schema("x", {"b": FieldInfo("b", "text")}) for side in ("crm", "marketing")})
    lenses = mapping.field("it").lenses
    for shown, meaning in EXAMPLE.findall(reads):
        assert _text(lenses["crm"].get({"a": READER.load(shown)})) == meaning, row
    for meaning, native in EXAMPLE.findall(writes):
        value = READER.load(meaning)
        value = tuple(value) if isinstance(value, list) else str(value) if kind.strip("`") in ("date", "instant") else value
        assert _text(lenses["marketing"].put(value, {}).get("b")) == native, row


def _loaded(field: dict[str, Any]) -> Any:
    from io import StringIO

    out = StringIO()
    READER.dump({**BASE, "fields": {**BASE["fields"], "it": field}}, out)
    return load_text(out.getvalue())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(value)}]" if isinstance(value, (list, tuple)) else str(value)
