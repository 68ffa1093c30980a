"""A record that is linked with nobody, explained: why it has no partner. `questions` uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from console.show import heading, iso
from syncline.conflict import TITLE

if TYPE_CHECKING:
    from state.status import Alone

LEFT = "is left alone by the mapping: see its scope and policy.create"


def as_dict(alone: Alone) -> dict[str, Any]:
    """The record, what waits of it, and in words why it has no partner."""
    holds = [{"field": h.field, "code": h.code, "reason": h.reason, "since": iso(h.opened_us)} for h in alone.holds]
    return {"side": alone.side, "ref": alone.ref, "liveness": alone.liveness, "why": _why(alone), "holds": holds}


def _why(alone: Alone) -> str:
    if alone.holds:
        return "waits for a person"
    if alone.liveness != "live":
        return "is no longer there, and nobody is made of it"
    return "is decided by the next run" if alone.undecided else LEFT


def tell(told: Mapping[str, Any]) -> None:
    """Print it."""
    heading(f"A record of {TITLE[told['side']]} that is linked with nobody")
    typer.echo(f"  {told['side']:<10} {told['ref']}, {told['liveness']}: {told['why']}")
    for hold in told["holds"]:
        typer.echo(f"  waits since {hold['since']}: {hold['field'] or 'the whole record'}: {hold['reason']}  [{hold['code']}]")
