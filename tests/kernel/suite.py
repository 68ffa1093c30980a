"""All checks in a short form, quickest first: what a faulty kernel has to get past."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import consent_machine
import model_check
import test_cases_of_births
import test_cases_of_consent
import test_cases_of_fields
import test_cases_of_lives
import test_cases_of_merges
import test_cases_of_scope
import test_refusals
import test_units
from kernel_modules import Kernel
from merge_cases import cases, cases_after_echo
from merge_checks import agrees_with_the_oracle, losses_are_logged, mirrors, settles
from oracle import SETTINGS
from planner_checks import NORMALISERS, converges, seeded_base, seeded_edits


def suite(k: Kernel) -> None:
    """Raises on the first thing that is wrong."""
    for check in _checks():
        check(k)


def caught(k: Kernel) -> bool:
    try:
        suite(k)
    except Exception:  # noqa: BLE001 - a faulty kernel may fail in any way
        return True
    return False


def _checks() -> Iterator[Callable[[Kernel], object]]:
    cases = (
        test_cases_of_fields,
        test_cases_of_consent,
        test_cases_of_births,
        test_cases_of_lives,
        test_cases_of_merges,
        test_cases_of_scope,
    )
    for module in (test_units, *cases, test_refusals):
        yield from (function for name, function in vars(module).items() if name.startswith("test_"))
    yield from (_merges, _rounds)
    yield lambda k: consent_machine.explore(k, 3)
    yield lambda k: model_check.explore(k, 2)
    yield lambda k: [model_check.walk(k, seed, 12) for seed in range(60)]


def _merges(k: Kernel) -> None:
    for setting in SETTINGS:
        agrees_with_the_oracle(k, islice(cases(setting), 0, None, 7))
        agrees_with_the_oracle(k, islice(cases_after_echo(setting), 0, None, 3))
        losses_are_logged(k, islice(cases(setting), 0, None, 7))
        mirrors(k, islice(cases(setting), 0, None, 29))
        settles(k, islice(cases(setting), 0, None, 29))


def _rounds(k: Kernel) -> None:
    habits = sorted(NORMALISERS)
    for seed in range(60):
        normal = (habits[seed % len(habits)], habits[seed // 7 % len(habits)])
        converges(k, seeded_edits(seed), normal, seed, base=seeded_base(seed))
        converges(k, seeded_edits(seed + 1_000), ("none", "none"), seed, "unanswered")
        converges(k, seeded_edits(seed + 2_000), ("none", "none"), seed, "lost")
        for edits in (seeded_edits(seed + 3_000), seeded_edits(seed + 4_000, ["tags"])):
            converges(k, edits, ("none", "none"), seed, ("crm", "marketing")[seed % 2])
