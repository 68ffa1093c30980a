"""The CRM twin's search index: it may lag behind the records, and it picks rows by what it last saw of them."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable

import msgspec

from .hubspot_properties import Property, instant_ms

Key = tuple[int, int]  # (lastmodifieddate in ms, id)
OPERATORS = ("EQ", "NEQ", "GT", "GTE", "LT", "LTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY")
MOST_RESULTS, MOST_GROUPS, MOST_PER_GROUP, MOST_FILTERS = 10_000, 5, 6, 18
MOST_KEPT = 8  # answers kept for paging
MODIFIED, ID = "lastmodifieddate", "hs_object_id"


class Contact(msgspec.Struct, frozen=True, gc=False):
    """One version of a contact. A write makes a new one, so an old index, a backup or a stale page may keep the old."""

    id: int
    props: dict[str, str]
    created_ms: int
    modified_ms: int
    archived_ms: int | None = None


class Bad(ValueError):
    """A search the vendor refuses with 400."""


class SearchIndex:
    """Contacts as the search sees them, ordered by (lastmodifieddate, id), with hash indexes for the unique properties."""

    def __init__(self) -> None:
        self.seen: dict[int, Contact] = {}
        self.order: list[Key] = []
        self.by_value: dict[str, dict[str, set[int]]] = {"email": {}, "syncline_key": {}}
        self.late: deque[tuple[int, int, Contact | None]] = deque()
        self.found: dict[object, list[int]] = {}

    def load(self, contacts: list[Contact]) -> None:
        """Take many contacts at once, with no lag."""
        for contact in contacts:
            self.seen[contact.id] = contact
            self._index_values(contact)
        self.order = sorted((c.modified_ms, c.id) for c in self.seen.values())
        self.found.clear()

    def touch(self, id: int, contact: Contact | None, now_ms: int, lag_ms: float) -> None:
        """The record became `contact` (None: it is gone). The index learns of it `lag_ms` later."""
        if lag_ms <= 0 and not self.late:
            self._see(id, contact)
        else:
            self.late.append((now_ms + round(lag_ms), id, contact))

    def catch_up(self, now_ms: int) -> None:
        while self.late and self.late[0][0] <= now_ms:
            _, id, contact = self.late.popleft()
            self._see(id, contact)

    def _see(self, id: int, contact: Contact | None) -> None:
        self.found.clear()
        if old := self.seen.pop(id, None):
            del self.order[bisect_left(self.order, (old.modified_ms, id))]
            for name, index in self.by_value.items():
                index.get(old.props.get(name, ""), set()).discard(id)
        if contact:
            self.seen[id] = contact
            insort(self.order, (contact.modified_ms, id))
            self._index_values(contact)

    def _index_values(self, contact: Contact) -> None:
        for name, index in self.by_value.items():
            if value := contact.props.get(name):
                index.setdefault(value.lower(), set()).add(contact.id)

    def find(self, body: dict, table: dict[str, Property]) -> list[int]:
        """Ids of the whole answer, in order. Raises Bad. Kept until the index next changes, so paging costs nothing."""
        groups, sorts = body.get("filterGroups") or [], body.get("sorts") or []
        key = msgspec.json.encode([groups, sorts])
        if key not in self.found:
            _check(groups, sorts, table)
            walk = self._by_id(groups, sorts)
            while len(self.found) >= MOST_KEPT:
                del self.found[next(iter(self.found))]
            self.found[key] = self._sorted(self._union(groups, table), sorts, table) if walk is None else walk
        return self.found[key]

    def _by_id(self, groups: list[dict], sorts: list) -> list[int] | None:
        """The common walk "id above x inside a time window, by id", answered from one sorted window; None for any other search."""
        filters = groups[0].get("filters") or [] if len(groups) == 1 else []
        after = [f for f in filters if f["propertyName"] == ID and f["operator"] == "GT"]
        rest = [f for f in filters if f not in after]
        plain = len(after) == 1 and all(f["propertyName"] == MODIFIED and f["operator"] in RANGES for f in rest)
        if not plain or sorts not in ([{"propertyName": ID, "direction": "ASCENDING"}], [ID], [{"propertyName": ID}], []):
            return None
        window = self._range(rest)
        if window not in self.found:
            self.found[window] = sorted(id for _, id in self._candidates(rest))
        ids = self.found[window]
        return ids[bisect_right(ids, float(after[0]["value"])) :]

    def _union(self, groups: list[dict], table: dict[str, Property]) -> list[Key]:
        lists = [self._group(g.get("filters") or [], table) for g in groups]
        if not lists:
            return self.order
        return lists[0] if len(lists) == 1 else sorted(set().union(*lists))

    def _group(self, filters: list[dict], table: dict[str, Property]) -> list[Key]:
        rows = self._candidates(filters)
        tests = [_test(f, table[f["propertyName"]]) for f in filters if f["propertyName"] != MODIFIED or f["operator"] not in RANGES]
        return [row for row in rows if all(test(self.seen[row[1]]) for test in tests)] if tests else rows

    def _candidates(self, filters: list[dict]) -> list[Key]:
        low, high = self._range(filters)
        for f in filters:
            if (index := self.by_value.get(f["propertyName"])) is not None and f["operator"] in ("EQ", "IN"):
                ids = set().union(*(index.get(str(v).lower(), ()) for v in f.get("values") or [f.get("value")]))
                keys = sorted((self.seen[i].modified_ms, i) for i in ids)
                return [k for k in keys if (low is None or k >= low) and (high is None or k < high)]
        start = bisect_left(self.order, low) if low else 0
        return self.order[start : bisect_left(self.order, high) if high else None]

    def _range(self, filters: list[dict]) -> tuple[Key | None, Key | None]:
        low, high = None, None
        for f in filters:
            if f["propertyName"] == MODIFIED and f["operator"] in RANGES:
                a, b = RANGES[f["operator"]](instant_ms(str(f["value"])), instant_ms(str(f.get("highValue", 0))))
                low = max(low or (a, 0), (a, 0)) if a is not None else low
                high = min(high or (b, 0), (b, 0)) if b is not None else high
        return low, high

    def _sorted(self, rows: list[Key], sorts: list, table: dict[str, Property]) -> list[int]:
        sort = sorts[0] if sorts else {"propertyName": ID}
        name = sort if isinstance(sort, str) else sort["propertyName"]
        down = isinstance(sort, dict) and sort.get("direction") == "DESCENDING"
        ids = [row[1] for row in rows]
        if name == ID:
            ids.sort(reverse=down)
        elif name == MODIFIED:
            ids = ids[::-1] if down else ids
        else:
            blank = (1, 0) if not down else (-1, 0)
            values = {i: _comparable(table[name], self.seen[i].props.get(name) or "") for i in ids}
            ids.sort(key=lambda i: ((0, values[i]) if values[i] is not None else blank, i), reverse=down)
        return ids


# Half-open millisecond bounds of a filter on lastmodifieddate.
RANGES: dict[str, Callable[[int, int], tuple[int | None, int | None]]] = {
    "EQ": lambda a, b: (a, a + 1), "GT": lambda a, b: (a + 1, None), "GTE": lambda a, b: (a, None),
    "LT": lambda a, b: (None, a), "LTE": lambda a, b: (None, a + 1), "BETWEEN": lambda a, b: (a, b + 1),
}  # fmt: skip


def _check(groups: list[dict], sorts: list, table: dict[str, Property]) -> None:
    filters = [f for g in groups for f in g.get("filters") or []]
    if len(groups) > MOST_GROUPS or len(filters) > MOST_FILTERS or any(len(g.get("filters") or []) > MOST_PER_GROUP for g in groups):
        raise Bad(f"Too many filters: at most {MOST_GROUPS} groups of {MOST_PER_GROUP} filters, {MOST_FILTERS} in all.")
    if len(sorts) > 1:
        raise Bad("Only one sort is allowed.")
    names = [s if isinstance(s, str) else s.get("propertyName") for s in sorts] + [f.get("propertyName") for f in filters]
    if unknown := [n for n in names if n not in table]:
        raise Bad(f"Property {unknown[0]} does not exist")
    for f in filters:
        _check_filter(f, table[f["propertyName"]])


def _check_filter(f: dict, prop: Property) -> None:
    op = f.get("operator")
    if op not in OPERATORS:
        raise Bad(f"{op} is not a valid operator")
    if op in ("IN", "NOT_IN"):
        if not f.get("values"):
            raise Bad(f"{op} needs values")
    elif "PROPERTY" not in op and "value" not in f:
        raise Bad(f"{op} needs a value")
    if op == "BETWEEN" and "highValue" not in f:
        raise Bad("BETWEEN needs a highValue")
    for value in (f.get("values") or []) + [f[k] for k in ("value", "highValue") if k in f]:
        try:
            _comparable(prop, str(value))
        except ValueError:
            raise Bad(f"{value} is not a valid {prop.type} for {prop.name}") from None


def _comparable(prop: Property, text: str) -> float | int | str | None:
    if text == "":
        return None
    if prop.type == "number":
        return float(text)
    return instant_ms(text) if prop.type in ("date", "datetime") else text.lower()


def _test(f: dict, prop: Property) -> Callable[[Contact], bool]:
    op, name = f["operator"], f["propertyName"]
    values = [_comparable(prop, str(v)) for v in f.get("values") or [f.get("value", "")]]
    first, high = values[0], _comparable(prop, str(f.get("highValue", "")))
    judge = JUDGES[op]
    if name == ID:
        return lambda contact: judge(contact.id, first, high, values)
    return lambda contact: judge(_comparable(prop, contact.props.get(name) or ""), first, high, values)


JUDGES: dict[str, Callable] = {
    "EQ": lambda own, v, high, all_: own == v,
    "NEQ": lambda own, v, high, all_: own != v,
    "GT": lambda own, v, high, all_: own is not None and own > v,
    "GTE": lambda own, v, high, all_: own is not None and own >= v,
    "LT": lambda own, v, high, all_: own is not None and own < v,
    "LTE": lambda own, v, high, all_: own is not None and own <= v,
    "BETWEEN": lambda own, v, high, all_: own is not None and v <= own <= high,
    "IN": lambda own, v, high, all_: own in all_,
    "NOT_IN": lambda own, v, high, all_: own not in all_,
    "HAS_PROPERTY": lambda own, v, high, all_: own is not None,
    "NOT_HAS_PROPERTY": lambda own, v, high, all_: own is None,
}
