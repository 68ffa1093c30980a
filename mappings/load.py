"""Reads a mapping file. All that is wrong with it is said at once, each with its line and with what to do.

Used by `flows` and `console`.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mappings.consistency import problems_of
from mappings.declared import Declared, declared
from mappings.lines import Loc, line_of, read_yaml
from mappings.near import meant
from mappings.schema import MappingModel
from syncline.errors import MappingError
from syncline.ports import FieldType

TYPES = frozenset(get_args(FieldType))


@dataclass(frozen=True, slots=True)
class LoadedMapping:
    """A mapping file that is right in itself. Whether the two vendors agree is for `check.lint`."""

    file: str
    model: MappingModel
    fields: tuple[Declared, ...]
    places: dict[Loc, int]

    def line(self, *loc: Any) -> int:
        """Where a part of the mapping stands, such as `line("fields", "email", "crm")`."""
        return line_of(self.places, loc)


def load(path: str | Path) -> LoadedMapping:
    """Raises MappingError with every problem of the file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError((f"{path}:1: cannot read this file: {getattr(error, 'strerror', None) or error}",)) from error
    return load_text(text, str(path))


def load_text(text: str, file: str = "mapping.yaml") -> LoadedMapping:
    """As `load`, for a text. `file` stands before the line numbers."""
    data, places, findings = read_yaml(text)
    model = None
    if data is not None:
        model, faults, bad = _validate(data)
        if model:
            faults += problems_of(model, declared(model), bad)
        findings += [(line_of(places, loc), said) for loc, said in faults]
    if findings or model is None:
        raise MappingError(tuple(dict.fromkeys(f"{file}:{line}: {said}" for line, said in sorted(findings))))
    return LoadedMapping(file, model, declared(model), places)


def _validate(data: dict[str, Any]) -> tuple[MappingModel | None, list[tuple[Loc, str]], frozenset[str]]:
    """(model, faults, names of fields left out of it). What has a fault is left out, so that the rest is judged all the same."""
    try:
        return MappingModel.model_validate(data), [], frozenset()
    except ValidationError as error:
        errors = error.errors()
    faults = [_fault(each) for each in errors]
    bad = frozenset(str(each["loc"][1]) for each in errors if each["loc"][0] == "fields" and len(each["loc"]) > 1)
    try:
        return MappingModel.model_validate(_without(data, [each["loc"] for each in errors])), faults, bad
    except ValidationError:
        return None, faults, bad


def _without(data: dict[str, Any], locs: Iterable[Loc]) -> dict[str, Any]:
    """The data less the word at each place; a field goes as a whole."""
    rest = copy.deepcopy(data)
    for loc in locs:
        *way, word = loc[:2] if loc[0] == "fields" else [part for part in loc if isinstance(part, str)]
        holder: Any = rest
        for part in way:
            holder = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder.pop(word, None)
    return rest


def _fault(error: Any) -> tuple[Loc, str]:
    loc: Loc = error["loc"]
    name = str(loc[-1]) if loc else ""
    where = ".".join(str(part) for part in loc)
    if error["type"] == "extra_forbidden":
        if len(loc) > 1 and loc[-2] == "transform" and name in TYPES:
            return loc, f"{where} is a type, not a transform: write type: {name}"
        return loc, f"{where} is not known here{meant(name, _words_at(loc[:-1]))}"
    if error["type"] == "missing":
        return loc, f"{where} is missing: write it"
    if error["type"] == "literal_error":
        return loc, f"{where}: {error['input']!r} is not known here{meant(str(error['input']), _literals(error))}"
    return loc, f"{where}: {error['msg'].removeprefix('Value error, ')}"


def _literals(error: Any) -> list[str]:
    return [word.strip(" '") for word in error["ctx"]["expected"].replace(" or ", ", ").split(",")]


def _words_at(loc: Loc) -> list[str]:
    """The words the language has at a place."""
    kind: Any = MappingModel
    for part in loc:
        kind = _inside(kind, part)
    return [field.alias or name for name, field in kind.model_fields.items()] if _is_model(kind) else []


def _inside(kind: Any, part: Any) -> Any:
    if _is_model(kind):
        by_word = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        return _unwrapped(by_word.get(part))
    return _unwrapped(get_args(kind)[-1]) if get_args(kind) else None


def _unwrapped(annotation: Any) -> Any:
    """Out of `X | None` and `Annotated[X, …]`, down to a model, a list or a dict."""
    while get_origin(annotation) not in (None, list, dict, Literal):
        options = [option for option in get_args(annotation) if option is not types.NoneType]
        annotation = options[0]
    return annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
