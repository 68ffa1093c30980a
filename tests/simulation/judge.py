"""Judges a settled world by what the vendors truly hold and by every write that changed it.

The engine is asked for two things alone: who it says is one person, and what it says waits; its log must say the same, and is read for what
became of values that are nowhere any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.simulation.case import Case, case_of, pairs
from tests.simulation.judge_books import (
    all_noted,
    honest_shadows,
    no_empty_write,
    no_idle_hold,
    no_orphaned_hold,
    nothing_stuck,
    within_limits,
)
from tests.simulation.judge_consent import never_widened
from tests.simulation.judge_lives import everybody_across, no_strangers, nobody_back, nobody_twice, policy_done
from tests.simulation.judge_undone import no_tag_again, nothing_undone
from tests.simulation.judge_values import converged, nothing_buried, nothing_invented, nothing_lost
from tests.simulation.world import Violation, World

__all__ = ["case_of", "heard_without_a_sweep", "judge", "pairs"]

Check = Callable[[Case], Iterator[Violation]]

CHECKS: tuple[Check, ...] = (
    converged, nothing_lost, nothing_undone, no_tag_again, nothing_buried, nothing_invented, nobody_twice, no_strangers, everybody_across,
    policy_done, nobody_back, never_widened, all_noted, honest_shadows, within_limits, no_empty_write, nothing_stuck, no_idle_hold,
    no_orphaned_hold,
)  # fmt: skip


def heard_without_a_sweep(world: World) -> None:
    """I18: polls alone have shown every change by now, since whatever only a sweep can mend was swept: no cursor went past one."""
    if world.spoilt_us <= world.swept_us:
        world.violations += [Violation("I18", violation.text) for violation in converged(case_of(world), swept=False)]


def judge(world: World) -> None:
    """Every invariant, on the settled world."""
    case = case_of(world)
    world.violations += [Violation("I14", problem) for problem in world.engine().sync.verify().problems]
    for check in CHECKS:
        world.violations += list(check(case))
