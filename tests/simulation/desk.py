"""What a simulated vendor makes of a change: done, or refused with the error a connector would raise. Used by `port`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from syncline.errors import AlreadyExists, ConsentRefused, Merged, Rejected, Stale, Vanished
from syncline.ports import Change
from syncline.records import Side
from tests.simulation.vendor import Rec, Vendor
from tests.simulation.words import BAD_PHONE, address_key


def end_of(vendor: Vendor, rec: Rec) -> Rec:
    """Whom it was merged into in the end."""
    while rec.into and (following := vendor.get(rec.into)) is not None:
        rec = following
    return rec


@dataclass(frozen=True, slots=True)
class Desk:
    """`hidden`: native fields that we have no permission for just now. `who`: whose record a create makes."""

    vendor: Vendor
    hidden: set[str]
    who: Callable[[Side, Change], int]

    def carry_out(self, change: Change) -> Rec:
        """The record as it is from now on."""
        if self.vendor.poisoned is not None and self._whose(change) == self.vendor.poisoned:
            raise Rejected("never this one")
        return self._create(change) if change.kind == "create" else self._change(change)

    def _whose(self, change: Change) -> int:
        rec = self.vendor.get(change.ref)
        return self.who(self.vendor.side, change) if rec is None else rec.who

    def _create(self, change: Change) -> Rec:
        vendor, known = self.vendor, self.vendor.get(self.vendor.born.get(change.key))
        if known is not None and not self.vendor.profile.unique:
            return known
        self._allowed({**change.fields, **change.consent})
        there = vendor.at(change.fields.get("email")) if self.vendor.profile.unique else None
        if there is not None:
            raise AlreadyExists("this address is taken", ref=there.ref)
        archived = vendor.at(change.fields.get("email"), "archived") if self.vendor.profile.capabilities.merges == "none" else None
        values = {**change.fields, **change.consent}
        if archived is not None and archived.fields["consent"] == self.vendor.profile.words["out"]:
            values["consent"] = archived.fields["consent"]  # who unsubscribed stays so
        if archived is not None:
            return vendor.put(
                archived, replace(archived, life="live", fields={**archived.fields, **self._normal(values)}), change.key, "create"
            )
        rec = vendor.create(self.who(vendor.side, change), values, change.key)
        vendor.born[change.key] = rec.ref
        return rec

    def _normal(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.vendor.normal(name, value) for name, value in values.items()}

    def _change(self, change: Change) -> Rec:
        vendor, rec = self.vendor, self.vendor.get(change.ref)
        if rec is None:
            raise Vanished("there is no such record")
        if rec.life == "merged":
            raise Merged("merged into another", into=end_of(self.vendor, rec).ref)
        if change.kind == "restore":
            return self._restored(rec, change)
        if rec.life != "live":
            if change.kind == "archive":
                return rec
            raise Vanished("archived")
        if self.vendor.profile.capabilities.versions and change.version and change.version != str(rec.stamp_us):
            raise Stale("changed since")
        if any(address_key(rec.fields.get(name)) != address_key(value) for name, value in change.anchor.items()):
            raise Stale("another address by now")
        if change.kind == "archive":
            vendor.buried_blind[rec.ref] = vendor.blind.get(rec.ref, frozenset()) | self.hidden
            return vendor.live_on(rec, "archived", change.key, "archive")
        self._allowed({**change.fields, **change.consent})
        if change.kind == "consent":
            self._consents(rec, change.consent["consent"])
        other = vendor.at(change.fields["email"]) if self.vendor.profile.unique and "email" in change.fields else None
        if other is not None and other.ref != rec.ref:
            raise Rejected("this address is taken", field="email")
        values = self._normal({**change.fields, **change.consent})
        return vendor.put(rec, replace(rec, fields={**rec.fields, **values}), change.key, change.kind, tuple(values))

    def _restored(self, rec: Rec, change: Change) -> Rec:
        if rec.life == "live":
            return rec
        if not self.vendor.profile.capabilities.can_restore:
            raise Rejected("only by hand")
        if self.vendor.profile.unique and self.vendor.at(rec.fields.get("email")) is not None:
            raise Rejected("this address is taken", field="email")
        return self.vendor.put(rec, replace(rec, life="live", fields={**rec.fields, **self._normal(change.consent)}), change.key, "restore")

    def _allowed(self, values: Mapping[str, Any]) -> None:
        """What this vendor never takes: fields that we may not see, a phone that is none."""
        for name in values:
            if name in self.hidden:
                raise Rejected("no permission for this field", field=name)
        if values.get("phone") == BAD_PHONE:
            raise Rejected("not a number", field="phone")

    def _consents(self, rec: Rec, value: Any) -> None:
        words = self.vendor.profile.words
        now = rec.fields["consent"]
        if now == words["out"] and value != now and (value != words.get("asked")):
            raise ConsentRefused("only the person can", field="consent")
        if now == words.get("bounced") and value in (words.get("in"), words.get("asked")):
            raise ConsentRefused("this address bounces", field="consent")
