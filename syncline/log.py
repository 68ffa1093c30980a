"""The change log as values: what an entry says, how it is hashed, what the whole log folds to. The store keeps it; the console shows it.

Theory of operation. Entries are numbered from 1 without gaps. An entry's *values* (old, new, refs: anything that may be personal) are not
hashed themselves but through a commitment keyed by that contact's own secret; erasing a person destroys the key and the values, and every
hash still verifies. Leaves are hashed as in RFC 6962 (0x00 for a leaf, 0x01 for a node); `Frontier` gives the root after any number of
appends in O(log n) memory, and a *checkpoint* (size, root) kept outside the database shows an edit, a cut tail or a reorder.

The result of a write is learnt after its entry was appended. An entry is never edited for that: a `receipt` entry, one per write batch,
states the results by sequence number, and the entry's `result` column is only a copy that `verify` compares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from syncline.records import SIDES, Side, value

Kind = Literal[
    "create", "link", "change", "rebind", "merge", "delete", "archive", "restore", "unlink", "revive",
    "hold", "release", "approval", "config", "receipt", "erase",
]  # fmt: skip


@value
class Entry:
    """One thing that happened to one contact (or to the sync itself, `contact_id` None).

    `side`/`ref`: the record the value came from. `old`/`new`: JSON values; for `create` and `link` `new` is `{"refs": …, "view": …}`, for
    `receipt` `{"results": [[seq, result], …], "refs": [[contact_id, side, ref], …]}`, for `rebind` the new ref, or None when another
    contact took the old one. `rule`, `evidence`, `reason`: why. `to`: sides written.
    """

    kind: Kind
    contact_id: int | None = None
    field: str | None = None
    side: Side | None = None
    ref: str | None = None
    old: Any = None
    new: Any = None
    rule: str = ""
    evidence: str = "none"
    reason: str = ""
    to: tuple[Side, ...] = ()


def commitment(key: bytes, old: str, new: str, ref: str) -> bytes:
    """32 bytes that fix an entry's personal values without showing them. `old`/`new`: the stored JSON text; `key`: the contact's secret."""
    return keyed(key, f"{old}\x1f{new}\x1f{ref}")


def keyed(key: bytes, text: str) -> bytes:
    """Keyed BLAKE2b-256 (RFC 7693), which is a MAC by design: an HMAC around a short text costs three times as much."""
    return hashlib.blake2b(text.encode(), digest_size=32, key=key).digest()


def framed(columns: Iterable[str]) -> str:
    """Each column with its length, so that no text can be moved from one column to the next without a trace."""
    return "".join([f"{len(text)}:{text}" for text in columns])


def leaf_hash(seq: int, head: str, commit: bytes) -> bytes:
    """The RFC 6962 leaf of one entry. `head`: every stored column that is not personal, as text, framed, in the store's fixed order."""
    columns = framed((str(seq),)) + head
    return hashlib.sha256(b"\x00" + columns.encode() + commit).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The RFC 6962 inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The right edge of the tree: for each set bit of `size`, the hash of a full subtree, largest first. The only mutable value here."""

    size: int = 0
    nodes: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add one leaf: merge equal subtrees as binary addition carries."""
        carry, size = leaf, self.size
        while size & 1:
            carry = node_hash(self.nodes.pop(), carry)
            size >>= 1
        self.nodes.append(carry)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root hash (of no leaves: the hash of nothing)."""
        if not self.nodes:
            return hashlib.sha256(b"").digest()
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root


@dataclass(slots=True)
class Folded:
    """What the log says of one contact: refs by side, the agreed view, and its state."""

    refs: dict[Side, str] = field(default_factory=dict)
    view: dict[str, Any] = field(default_factory=dict)
    state: str = "active"


STATE_AFTER: Mapping[str, str] = {
    "create": "active", "link": "active", "revive": "active", "restore": "active",
    "archive": "deleted", "unlink": "unlinked", "merge": "merged", "erase": "erased",
}  # fmt: skip


def fold(entries: Iterable[Entry]) -> dict[int, Folded]:
    """Replay entries from empty: contact id → links, shared view and state. Equal to the tables, or something was edited."""
    contacts: dict[int, Folded] = {}
    for entry in entries:
        if entry.kind == "receipt":
            for contact_id, side, ref in entry.new["refs"]:
                contacts[contact_id].refs[side] = ref
        if entry.contact_id is None:
            continue
        contact = contacts.setdefault(entry.contact_id, Folded())
        contact.state = STATE_AFTER.get(entry.kind, contact.state)
        if entry.kind in ("create", "link"):
            contact.refs.update({side: entry.new["refs"][side] for side in SIDES if side in entry.new["refs"]})
            contact.view.update(entry.new["view"])
        elif entry.kind == "change" and entry.field is not None:
            contact.view[entry.field] = entry.new
        elif entry.kind == "rebind" and entry.side is not None and entry.new is None:
            contact.refs.pop(entry.side, None)
        elif entry.kind == "rebind" and entry.side is not None:
            contact.refs[entry.side] = entry.new
        elif entry.kind == "erase":
            contact.view.clear()
    return contacts
