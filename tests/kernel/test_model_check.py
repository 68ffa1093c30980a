"""Every order of a handful of events, checked at every state against what the vendors hold; and some paths to their very end."""

from kernel_modules import Kernel
from model_check import explore, walk


def test_every_state_up_to_three_events(kernel: Kernel) -> None:
    states, ends = explore(kernel, 3)
    assert states > 5_000 and len(ends) > 4_000


def test_whole_histories(kernel: Kernel) -> None:
    assert all(len(walk(kernel, seed, 14)) == 15 for seed in range(600))
