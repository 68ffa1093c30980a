"""The version of a mapping: a hash of what it means. Used by `compile`.

Comments, formatting, the order of keys and a default written out make no difference; any change of meaning does. The order of *lists* is a
meaning (which match key comes first, what is furthest), and so is which of several natives of one value comes first.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from pydantic import BaseModel

from mappings.declared import Declared
from mappings.load import LoadedMapping
from mappings.schema import PredicateModel

PARTS = ("version", "name", "sides", "identity", "scope", "policy")


def version_of(loaded: LoadedMapping) -> str:
    """sha256 of the canonical form, in hex."""
    whole = {part: _plain(getattr(loaded.model, part)) for part in PARTS}
    whole["fields"] = {field.name: _meaning(field) for field in loaded.fields}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Of a condition only what was said (`is: null` differs from no `is`); of all else the defaults too."""
    if isinstance(value, BaseModel):
        names = value.model_fields_set if isinstance(value, PredicateModel) else type(value).model_fields
        return {name: _plain(getattr(value, name)) for name in names}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _meaning(field: Declared) -> dict[str, Any]:
    out = {each.name: getattr(field, each.name) for each in dataclasses.fields(field) if each.name != "transforms"}
    return out | {
        "side": {side: _plain(transforms) for side, transforms in field.side.items()},
        "table": field.table.plain() if field.table else None,
        "rule": dataclasses.asdict(field.rule),
        "required_in": sorted(field.required_in),
        "grant": [sorted(field.grant.requires), field.grant.writes] if field.grant else None,
    }
