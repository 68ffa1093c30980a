"""A loaded mapping → what the kernel runs. Used by `flows` and `console`. `version` is explained in `version`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mappings.declared import Declared
from mappings.lenses import Owners, canon_for, lens_of
from mappings.load import LoadedMapping
from mappings.predicates import nodes, predicate
from mappings.schema import MappingModel
from mappings.version import version_of
from syncline.errors import SyncError
from syncline.lens import Lens
from syncline.mapping import Canon, CompiledMapping, Field, MatchKey, Policy, SideSpec
from syncline.ports import Schema
from syncline.records import CRM, MARKETING, MISSING, SIDES, Native, Side

LIMITS = ("deletes", "blanks", "unsubscribes", "overwrites")
Schemas = Mapping[Side, Schema]


def compile_mapping(loaded: LoadedMapping, owners: Owners | None = None, schemas: Schemas | None = None) -> CompiledMapping:
    """`owners[side]`: owner id → address, for sides that know owners by id. `schemas`: what `describe()` said; tells `put` which form a
    value takes in a field that shows none (see `transforms.native`). Neither is part of the version."""
    fields = tuple(_field(declared, owners, schemas or {}) for declared in loaded.fields)
    by_name = {field.name: field for field in fields}
    return CompiledMapping(
        name=loaded.model.name,
        version=version_of(loaded),
        sides={side: _side(loaded, side, fields) for side in SIDES},
        fields=fields,
        match=tuple(_match(by_name[name]) for name in loaded.model.identity.match),
        policy=_policy(loaded.model),
        source=loaded.file,
    )


def _field(declared: Declared, owners: Owners | None, schemas: Schemas) -> Field:
    return Field(
        name=declared.name,
        type=declared.type,
        lenses={side: _lens(declared, side, owners, schemas) for side in SIDES},
        canon=canon_for(declared),
        rule=declared.rule,
        direction=declared.direction,
        create_only=declared.create_only,
        on_blank=declared.on_blank,
        required_in=declared.required_in,
        consent=declared.consent,
        grant=declared.grant,
    )


def _lens(declared: Declared, side: Side, owners: Owners | None, schemas: Schemas) -> Lens:
    name = declared.names[side]
    info = schemas[side].fields.get(name) if name and side in schemas else None
    return lens_of(declared, side, owners, info)


def _side(loaded: LoadedMapping, side: Side, fields: tuple[Field, ...]) -> SideSpec:
    """Native names: what the fields read, then what the side's conditions read, each once."""
    spec = getattr(loaded.model.sides, side)
    canonical = {field.name for field in fields}
    asked = [name for field in fields for name in field.lenses[side].names]
    asked += [
        node.field for _, node in nodes(getattr(loaded.model.scope, side), ()) if node.field is not None and node.field not in canonical
    ]
    return SideSpec(spec.connector, spec.object, spec.options, tuple(dict.fromkeys(asked)))


def _match(field: Field) -> MatchKey:
    return MatchKey(field.name, {side: _key(field.lenses[side], field.canon) for side in SIDES})


def _key(lens: Lens, canon: Canon) -> Callable[[Native], str | None]:
    """A value that cannot be read recognises nobody; the field itself is held when it is merged."""

    def key(native: Native) -> str | None:
        try:
            value = canon(lens.get(native))
        except SyncError:
            return None
        return None if value is None or value is MISSING else str(value)

    return key


def _policy(model: MappingModel) -> Policy:
    canonical = frozenset(model.fields)
    scope, policy = model.scope, model.policy
    return Policy(
        scope={side: predicate(getattr(scope, side), canonical) for side in SIDES},
        create={side: predicate(getattr(policy.create, side), canonical) for side in SIDES},
        delete_seen_in={CRM: policy.delete.seen_in_crm, MARKETING: policy.delete.seen_in_marketing},
        on_leave=scope.on_leave,
        erasure=policy.delete.erasure,
        limits={name: getattr(policy.limits, name) for name in LIMITS},
        empty_side=policy.limits.empty_side,
    )
