"""The names of one Tryton database that parties refer to by id: languages and categories. Only `connectors.tryton*` imports it.

Read once, when first needed. A category is made when a party is first to be put into it: also the one that means "no e-mail, please".
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors.tryton_rpc import Rpc
from connectors.tryton_shapes import EVEN_ARCHIVED, OPT_OUT, Names
from syncline.errors import Rejected
from syncline.ports import Change

CATEGORY = "model.party.category."


class Directory:
    """`names` as the database has them now; `opt_out_name` is the path of the opt-out category."""

    def __init__(self, rpc: Rpc, opt_out_name: str) -> None:
        self.opt_out_name = opt_out_name
        self._rpc = rpc
        self._names: Names | None = None

    @property
    def names(self) -> Names:
        """What is known; read at the first use."""
        if self._names is None:
            languages = self._rpc.call("model.ir.lang.search_read", [], 0, None, [["code", "ASC"]], ["code"])
            categories = self._rpc.call(CATEGORY + "search_read", [EVEN_ARCHIVED], 0, None, [["id", "ASC"]], ["rec_name"])
            paths = {row["rec_name"]: row["id"] for row in categories}
            self._names = Names({row["code"]: row["id"] for row in languages}, paths, paths.get(self.opt_out_name))
        return self._names

    def make_categories_for(self, changes: Iterable[Change]) -> None:
        """Makes the categories that `changes` put somebody into and that are not there. One that is refused stays missing."""
        wanted = {path for change in changes for path in self._wanted(change)}
        if wanted - self.names.categories.keys():
            self._names = None  # somebody may have made it since
        for path in sorted(wanted - self.names.categories.keys()):
            self._make(path)

    def _wanted(self, change: Change) -> list[str]:
        opt_out = [self.opt_out_name] if change.consent.get(OPT_OUT) is True else []
        return [*opt_out, *(change.fields.get("categories") or ())]

    def _make(self, path: str) -> None:
        try:
            self._rpc.call(CATEGORY + "create", [{"name": path}], purpose="write")
        except Rejected:
            return  # the changes that need it will say so
        self._names = None
