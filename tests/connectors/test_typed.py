"""What a record shows behaves as the dict of it, and is written as that dict would be."""

from __future__ import annotations

import msgspec
import pytest

from connectors.typed import layout

NAMES = ("email", "merge_fields.FNAME", "tags")


@pytest.mark.parametrize("values", [("a@people.example", "Zoë", ["x"]), (None, msgspec.UNSET, []), (msgspec.UNSET,) * 3])
def test_what_is_shown_is_a_dict_to_look_at(values: tuple[object, ...]) -> None:
    shown = layout(NAMES)(*values)
    plain = {name: value for name, value in zip(NAMES, values, strict=True) if value is not msgspec.UNSET}
    assert shown == plain and plain == shown and shown == layout(NAMES)(*values) and shown != {**plain, "more": 1}
    assert (list(shown), len(shown), bool(shown), dict(shown), {**shown}) == (list(plain), len(plain), bool(plain), plain, plain)
    assert [shown.get(name, "none") for name in (*NAMES, "other")] == [plain.get(name, "none") for name in (*NAMES, "other")]
    assert shown.json() == msgspec.json.encode(plain)
