"""The real engine walks paths of the model and ends where the model ends: a sample of its longest ones, and those that found a defect."""

from collections.abc import Iterator

import pytest
from kernel_modules import Kernel
from model_check import explore, holds_in_the_end, replayed, walk
from model_replay import Replay, modelled_truth

SAMPLE = 25
DEFECTS = {
    "an opt-out that a restore carried over was agreed by nobody": (
        "linked", "delete crm1", "round", "undelete crm1", "opt out crm1", "round", "claim crm1",
    ),
    "the second half of a merged opt-out was given up": (
        "linked", "opt out marketing2", "merge crm2 into crm1", "round dies at 0", "delete crm1", "round", "undelete crm1",
    ),
    "an index that had not heard of our own archive brought a record back": (
        "marketing only", "delete crm1", "round dies at 1", "round both late", "undelete crm1", "round marketing late", "round",
    ),
    "an opt-out merged into somebody who was away was heard by nobody": (
        "linked", "merge crm2 into crm1", "delete crm1", "opt out marketing2", "round dies at 0", "round", "undelete crm1", "round",
    ),
    "an opt-out on a record without a contact was lost with it": (
        "crm only", "opt out crm2", "made crm2b", "round dies at -1", "merge crm2 into crm2b", "round", "round",
    ),
    "an archive of a loser that failed brought its survivor back to life": (
        "linked", "merge crm2 into crm1", "delete crm1", "round dies at -1", "opt out marketing2", "round both late", "undelete crm1",
        "round",
    ),
}  # fmt: skip


def _paths(kernel: Kernel) -> Iterator[tuple[str, ...]]:
    """Evenly from all that lead on to nothing new within three events, and whole histories."""
    _, ends = explore(kernel, 3)
    yield from ends[:: len(ends) // SAMPLE]
    yield from (walk(kernel, seed, 12) for seed in range(10_000, 10_000 + SAMPLE))


def test_the_engine_ends_where_the_model_ends(kernel: Kernel) -> None:
    for number, path in enumerate(_paths(kernel)):
        assert Replay(path, f"path-{number}").truth() == modelled_truth(replayed(kernel, path)), path


@pytest.mark.parametrize("path", DEFECTS.values(), ids=DEFECTS)
def test_what_was_mended_stays_mended(kernel: Kernel, path: tuple[str, ...]) -> None:
    state = replayed(kernel, path)
    holds_in_the_end(state)
    assert Replay(path, "mended").truth() == modelled_truth(state)
