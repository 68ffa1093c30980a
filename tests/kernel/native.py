"""How the vendors of these tests write their fields, and mappings between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kernel_modules import Kernel
from world import SIDES


def canons(k: Kernel) -> dict[str, Callable[[Any], Any]]:
    def shown(compare: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def canon(value: Any) -> Any:
            if value is k.records.MISSING:
                return value
            return None if k.records.is_blank(value) else compare(value)

        return canon

    return {
        "text": shown(lambda value: value.strip().casefold()),
        "choice": shown(lambda value: value),
        "set": shown(lambda value: tuple(value)),
    }


def table(k: Kernel, words: dict[str, str]) -> Any:
    """A value table as a step: canonical word by native word; anything else is refused."""
    back = {word: native for native, word in words.items()}

    def look(where: dict[str, str], value: Any) -> Any:
        if k.records.is_blank(value):
            return None
        if value not in where:
            raise k.errors.UnknownChoice("a value the table does not know")
        return where[value]

    return k.lens.Step(get=lambda value: look(words, value), put=lambda value: look(back, value))


def shortened(k: Kernel, keep: int) -> Any:
    return k.lens.Step(get=lambda value: value, put=lambda value: value[:keep] if value else value, lossy=True)


def consent_lens(k: Kernel, words: dict[str, str], silent: str = "unknown") -> Any:
    """Like a value table, but a side without a word for what was agreed keeps quiet."""
    back = {word: native for native, word in words.items()}

    def put(value: Any, native: Any) -> dict[str, Any]:
        if k.records.is_blank(value) or (value not in back and words.get(native.get("consent"), silent) == silent):
            return {}
        if value not in back and silent not in back:
            raise k.errors.UnknownChoice("a consent this side has no word for")
        return {"consent": back.get(value, back.get(silent))}

    def get(native: Any) -> Any:
        shown = native.get("consent", k.records.MISSING)
        if shown is k.records.MISSING or k.records.is_blank(shown):
            return shown
        if shown not in words:
            raise k.errors.UnknownChoice("a consent the table does not know")
        return words[shown]

    return k.lens.Lens(("consent",), get, put)


CONSENT = {
    "crm": {"yes": "opted_out", "no": "unknown"},
    "full": {"in": "opted_in", "asked": "pending", "bounced": "undeliverable", "out": "opted_out", "none": "unknown"},
    "marketing": {"sub": "opted_in", "asked": "pending", "cleaned": "undeliverable", "unsub": "opted_out"},
}
ORDER = ("opted_in", "pending", "undeliverable", "opted_out")
STAGES = ("lead", "mql", "customer")


def consent_field(k: Kernel, crm: str = "crm", skew_us: int = 0) -> Any:
    rule = k.mapping.Rule("most_restrictive", order=ORDER, silent=("unknown",), skew_us=skew_us)
    lenses = {"crm": consent_lens(k, CONSENT[crm]), "marketing": consent_lens(k, CONSENT["marketing"])}
    grant = k.mapping.Grant(("source", "at"), "pending")
    return k.mapping.Field("consent", "choice", lenses, canons(k)["choice"], rule, consent=True, grant=grant)


def fields(k: Kernel, crm: str = "crm") -> tuple[Any, ...]:
    rule, make, canon = k.mapping.Rule, k.mapping.Field, canons(k)
    same = k.lens.IDENTITY

    def both(name: str, crm_step: Any = same, marketing_step: Any = same) -> dict[str, Any]:
        return {"crm": k.lens.at(name, crm_step), "marketing": k.lens.at(name, marketing_step)}

    stages = {side: table(k, {f"{side[0]}_{stage}": stage for stage in STAGES}) for side in SIDES}
    sets = k.lens.Step(
        get=lambda value: tuple(sorted(value.split(";"))) if value else None, put=lambda value: ";".join(value) if value else None
    )
    clear = {"crm": "clear", "marketing": "clear"}
    return (
        make("email", "email", both("email"), canon["text"], rule("prefer", side="crm"), required_in=frozenset(SIDES)),
        make("first", "text", both("first", same, shortened(k, 8)), canon["text"], rule("newest", skew_us=10)),
        make("last", "text", both("last"), canon["text"], rule("newest", tie="marketing", skew_us=10), on_blank=clear),
        make("phone", "text", both("phone"), canon["text"], rule("fill_blank", then=rule("prefer", side="marketing"))),
        make("company", "text", both("company"), canon["text"], rule("newest"), direction="to_marketing"),
        make("source", "text", both("source"), canon["text"], rule("newest"), direction="to_crm", create_only=True),
        make("birthday", "text", both("birthday"), canon["text"], rule("hold")),
        make("stage", "choice", both("stage", *stages.values()), canon["choice"], rule("furthest", order=STAGES, may_regress="crm")),
        make("tags", "set", both("tags", sets, sets), canon["set"], rule("union")),
        consent_field(k, crm),
    )


def mapping(k: Kernel, only: Iterable[str] = (), crm: str = "crm", **policy: Any) -> Any:
    """All the fields, or `only` some. `policy`: replaces its defaults (everything in scope, archive on a delete in the CRM)."""
    chosen = tuple(f for f in fields(k, crm) if not only or f.name in only)
    native = tuple(f.name for f in chosen)
    said = {"scope": {}, "create": {}, "delete_seen_in": {"crm": "archive", "marketing": "unlink"}} | policy
    sides = {side: k.mapping.SideSpec(side, "contacts", {}, native) for side in SIDES}
    return k.mapping.CompiledMapping("contacts", "1", sides, chosen, (), k.mapping.Policy(**said))
