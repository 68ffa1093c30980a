"""The rules that are played under: one mapping for every pair of profiles and every variant, all rules among them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mappings.load import LoadedMapping, load
from tests.simulation.profiles import PROFILES, STAGES
from tests.simulation.scratch import scratch

VARIANTS = 4
LIMITS = {"deletes": 2, "blanks": 4, "unsubscribes": 3}
TIGHT = dict.fromkeys(LIMITS, 0)
"""Nobody is removed, blanked or opted out without a yes: nearly every plan waits, and the next ones beside it."""

RULES = (
    "{rule: newest, tie: crm, skew: 2m}",
    "{rule: prefer, side: marketing}",
    "{rule: fill_blank, then: {rule: prefer, side: crm}}",
    "hold",
)
CLEARS = ("note",)
"""Fields in which a blank empties the other side."""

CONSENT = {
    "hub": "{true: opted_out, false: unknown}",
    "list": "{no: opted_out, unasked: unknown, yes: opted_in}",
    "trit": "{true: opted_out, false: unknown}",
    "chimp": "{subscribed: opted_in, pending: pending, transactional: unknown, unsubscribed: opted_out, cleaned: undeliverable}",
}


def limits(setup: Mapping[str, Any]) -> dict[str, int]:
    """The limits that a history is played under."""
    return TIGHT if setup.get("tight") else LIMITS


@lru_cache(maxsize=64)
def loaded(crm: str, marketing: str, variant: int, tight: bool = False) -> LoadedMapping:
    """Loaded once: reading YAML is the slowest part of a history."""
    path = scratch() / f"{crm}-{marketing}-{variant}{'-tight' if tight else ''}.yaml"
    path.write_text(text(crm, marketing, variant, TIGHT if tight else LIMITS), encoding="utf-8")
    return load(path)


def text(crm: str, marketing: str, variant: int, most: Mapping[str, int] = LIMITS) -> str:
    """The mapping's text."""
    rules = [RULES[(variant + at) % len(RULES)] for at in range(len(RULES))]
    deletes = (
        "{seen_in_crm: archive, seen_in_marketing: unlink}" if variant % 2 == 0 else "{seen_in_crm: archive, seen_in_marketing: archive}"
    )
    splits = "".join(f"{side}: {{split: ';'}}, " for side, name in (("crm", crm), ("marketing", marketing)) if not PROFILES[name].lists)
    tags = f"transform: {{{splits.rstrip(', ')}}}, " if splits else ""
    asks = "chimp" in (crm, marketing)
    order = "opted_in, pending, undeliverable, opted_out" if asks else "opted_in, opted_out" if crm == "list" else "opted_out"
    grant = "grant: {requires: [source, at], writes: pending}" if asks else ""
    return f"""
version: 1
name: simulation
sides:
  crm: {{connector: {crm}, object: people}}
  marketing: {{connector: {marketing}, object: people}}
identity: {{match: [email]}}
policy:
  delete: {deletes}
  limits: {{{", ".join(f"{name}: {count}" for name, count in most.items())}, overwrites: 60%, empty_side: stop}}
defaults: {{conflict: {{rule: newest, tie: crm, skew: 2m}}}}
fields:
  email: {{crm: email, marketing: email, type: email, required_in: [crm, marketing], conflict: {{rule: prefer, side: crm}}}}
  first: {{crm: first, marketing: first, transform: {{marketing: {{text: {{max: 12}}}}}}, conflict: {rules[0]}}}
  last: {{crm: last, marketing: last, conflict: {rules[1]}}}
  city: {{crm: city, marketing: city, conflict: {rules[2]}}}
  note: {{crm: note, marketing: note, on_blank: clear, conflict: {rules[0]}}}
  birthday: {{crm: birthday, marketing: birthday, type: date, conflict: {rules[3]}}}
  phone: {{crm: phone, marketing: phone, type: phone, transform: {{phone: {{region: IE}}}}, conflict: {{rule: fill_blank, then: newest}}}}
  company: {{crm: company, marketing: company, direction: to_marketing}}
  source: {{crm: source, marketing: source, when: create}}
  stage:
    crm: stage
    marketing: stage
    transform: {{choices: {{{", ".join(f"{stage}: [{stage}, {stage.upper()}]" for stage in STAGES)}}}}}
    conflict: {{rule: furthest, order: [{", ".join(STAGES)}], may_regress: crm}}
  tags: {{crm: tags, marketing: tags, type: set, {tags}conflict: union}}
  consent:
    crm: consent
    marketing: consent
    transform: {{consent: {{crm: {CONSENT[crm]}, marketing: {CONSENT[marketing]}}}}}
    conflict: {{rule: most_restrictive, order: [{order}], silent: [unknown]}}
    {grant}
"""
