"""Owners: canonical is the owner's e-mail address. A side that knows owners by id has a table; one without shows addresses."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.transforms.choices import choices
from mappings.transforms.email import folded
from mappings.transforms.text import text
from syncline.lens import Step


def owner(addresses: Mapping[str, str] | None) -> Step:
    """`addresses`: owner id → address. Both ways raise UnknownChoice for an owner the table lacks."""
    if addresses is None:
        return text()
    table = choices(tuple((id, folded(address)) for id, address in addresses.items()))
    return Step(get=table.get, put=lambda value: table.put(None if value is None else folded(value)))
