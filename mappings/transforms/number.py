"""Numbers, and scaling between two scales. Decimal inside, so that a tenth stays a tenth; twelve significant digits are compared."""

from __future__ import annotations

from decimal import Context, Decimal, DecimalException
from typing import Any

from mappings.transforms.native import shows_nothing
from syncline.errors import Rejected
from syncline.lens import Step

TWELVE_DIGITS = Context(prec=12)


def number() -> Step:
    """`"12.5"`, 12.5 → 12.5; `"12"`, 12.0 → 12. Raises Rejected for anything that is no finite number."""
    return Step(get=_read, put=lambda value: None if value is None else plain(_decimal(value)))


def scale(factor: float) -> Step:
    """A side whose scale is `factor` times finer-grained: canonical = native × factor."""
    by = Decimal(str(factor))
    return Step(
        get=lambda value: None if value is None else plain(_decimal(value) * by),
        put=lambda value: None if value is None else plain(TWELVE_DIGITS.divide(_decimal(value), by)),
    )


def plain(value: Decimal) -> int | float:
    """An int when it is whole, else a float."""
    return int(value) if value == value.to_integral_value() else float(value)


def twelve_digits(value: Any) -> Any:
    """The form numbers are compared in."""
    return plain(TWELVE_DIGITS.plus(_decimal(value)))


def _read(shown: Any) -> int | float | None:
    return None if shows_nothing(shown) else plain(_decimal(shown))


def _decimal(shown: Any) -> Decimal:
    try:
        value = Decimal(str(shown).strip()) if not isinstance(shown, bool) else Decimal("nan")
    except DecimalException:
        value = Decimal("nan")
    if not value.is_finite() or abs(value.adjusted()) > 300:
        raise Rejected("not a number", detail=str(shown))
    return value
