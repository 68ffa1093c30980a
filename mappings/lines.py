"""YAML with line numbers: the data, where each part of it stands, and what is wrong with it as YAML. Used by `load`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

Loc = tuple[Any, ...]
Finding = tuple[int, str]


def read_yaml(text: str) -> tuple[Any, dict[Loc, int], list[Finding]]:
    """(data or None, place → line, findings). A key written twice is a finding; its first value is kept, so that all else is judged too."""
    try:
        reader = YAML(typ="safe", pure=True)
        reader.allow_duplicate_keys = True
        root = reader.compose(text)
        data = root and reader.constructor.construct_document(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return None, {}, [(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}")]
    except (YAMLError, ValueError) as error:
        return None, {}, [(1, f"not YAML: {error}")]
    if not isinstance(data, dict):
        return None, {}, [(1, "write a mapping here: version, name, sides, identity, fields")]
    places: dict[Loc, int] = {(): 1}
    try:
        return data, places, list(_walk(root, (), places))
    except RecursionError:
        return None, {}, [(1, "an anchor holds itself: write it out")]


def line_of(places: dict[Loc, int], loc: Loc) -> int:
    """The line of a place, or of the nearest place around it."""
    while loc not in places:
        loc = loc[:-1]
    return places[loc]


def _walk(node: Node, loc: Loc, places: dict[Loc, int]) -> Iterator[Finding]:
    if isinstance(node, MappingNode):
        for name, value in node.value:
            yield from _entry(name, value, loc, places)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            places[(*loc, index)] = item.start_mark.line + 1
            yield from _walk(item, (*loc, index), places)


def _entry(name: Node, value: Node, loc: Loc, places: dict[Loc, int]) -> Iterator[Finding]:
    here, line = (*loc, str(name.value)), name.start_mark.line + 1
    if here in places:
        yield line, f"{name.value} is written twice (first on line {places[here]}): keep one"
    else:
        places[here] = line
        yield from _walk(value, here, places)
