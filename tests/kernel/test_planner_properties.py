"""Random edits on both sides of a linked pair, shuffled pushes, every pair of vendors' habits: quiet soon, and nothing lost."""

from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_modules import real
from planner_checks import FIELDS, NORMALISERS, Base, Edit, converges
from world import SIDES

EDITS = st.lists(st.builds(Edit, st.sampled_from(SIDES), st.sampled_from(FIELDS), st.integers(0, 5)), min_size=1, max_size=8)
BASES = st.builds(Base, st.tuples(*(st.integers(0, 3) for _ in FIELDS)))
HABITS = st.tuples(st.sampled_from(sorted(NORMALISERS)), st.sampled_from(sorted(NORMALISERS)))


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(BASES, EDITS, HABITS, st.integers(0, 9))
def test_it_becomes_quiet_where_it_should_and_nothing_is_lost(base: Base, edits: list[Edit], habits: tuple[str, str], seed: int) -> None:
    converges(real(), edits, habits, seed, base=base)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(BASES, EDITS, st.integers(0, 9), st.sampled_from(["unanswered", "lost", *SIDES]))
def test_a_push_that_was_lost_or_its_answer_changes_nothing_in_the_end(base: Base, edits: list[Edit], seed: int, fault: str) -> None:
    converges(real(), edits, ("none", "none"), seed, fault, base)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    BASES,
    st.lists(st.builds(Edit, st.sampled_from(SIDES), st.just("tags"), st.integers(0, 5)), min_size=2, max_size=8),
    st.sampled_from(SIDES),
)
def test_what_was_taken_from_a_set_is_not_forgotten_when_the_other_side_takes_no_write(base: Base, edits: list[Edit], refused: str) -> None:
    converges(real(), edits, ("none", "none"), 0, refused, base)
