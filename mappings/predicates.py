"""Conditions as data: `{all: [{field: email, is: present}, {field: is_test, is_not: true}]}` → a `syncline.mapping.Predicate`.

Values are compared as words, so `true`, `"true"` and True are the same. A set is its members: `is: vip` holds when vip is one of them, `in`
when any member is listed. `present` wants something shown, `blank` wants nothing shown where we looked; a value nobody showed is neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mappings.schema import PredicateModel
from mappings.transforms.native import key, shows_nothing
from syncline.mapping import Predicate, always
from syncline.records import MISSING

TESTS = ("is_", "is_not", "in_", "not_in", "gt", "lt")
Test = Callable[[Any], bool]


def predicate(model: PredicateModel | None, fields: frozenset[str]) -> Predicate:
    """`fields`: the mapping's canonical names; any other name is a native one of the side."""
    if model is None:
        return always
    if model.all is not None:
        parts = [predicate(part, fields) for part in model.all]
        return lambda values, native: all(part(values, native) for part in parts)
    if model.any is not None:
        parts = [predicate(part, fields) for part in model.any]
        return lambda values, native: any(part(values, native) for part in parts)
    if model.not_ is not None:
        inner = predicate(model.not_, fields)
        return lambda values, native: not inner(values, native)
    return _on_field(str(model.field), model, fields)


def nodes(model: PredicateModel | None, loc: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], PredicateModel]]:
    """The predicate and all within it, each with where it stands in the file."""
    if model is None:
        return
    yield loc, model
    for word in ("all", "any"):
        for index, part in enumerate(getattr(model, word) or ()):
            yield from nodes(part, (*loc, word, index))
    yield from nodes(model.not_, (*loc, "not"))


def said(model: PredicateModel) -> list[str]:
    """The tests a condition on one field names."""
    return [word for word in TESTS if word in model.model_fields_set]


def _on_field(name: str, model: PredicateModel, fields: frozenset[str]) -> Predicate:
    tests = [BUILD[word](getattr(model, word)) for word in said(model)]
    if name in fields:
        return lambda values, _native: all(test(values.get(name, MISSING)) for test in tests)
    return lambda _values, native: all(test(native.get(name, MISSING)) for test in tests)


def _is(wanted: Any) -> Test:
    if wanted == "present":
        return lambda value: not shows_nothing(value)
    if wanted is None or wanted == "blank":
        return lambda value: value is not MISSING and shows_nothing(value)
    return lambda value: key(wanted) in _words(value)


def _in(wanted: list[Any]) -> Test:
    words = {key(each) for each in wanted}
    return lambda value: bool(words & _words(value))


def _not(test: Test) -> Test:
    return lambda value: not test(value)


def _words(value: Any) -> set[str]:
    if shows_nothing(value):
        return set()
    return {key(member) for member in value} if isinstance(value, (list, tuple)) else {key(value)}


def _compared(bound: Any, holds: Callable[[Any, Any], bool]) -> Test:
    """Numbers as numbers; all else (ISO dates and instants) as text. What cannot be compared does not hold."""

    def test(value: Any) -> bool:
        if shows_nothing(value) or isinstance(value, (list, tuple)):
            return False
        if not isinstance(bound, (int, float)):
            return holds(key(value), key(bound))
        try:
            return holds(float(value), bound)
        except ValueError:
            return False

    return test


BUILD: dict[str, Callable[[Any], Test]] = {
    "is_": _is,
    "is_not": lambda wanted: _not(_is(wanted)),
    "in_": _in,
    "not_in": lambda wanted: _not(_in(wanted)),
    "gt": lambda bound: _compared(bound, lambda value, limit: value > limit),
    "lt": lambda bound: _compared(bound, lambda value, limit: value < limit),
}
