"""Every order of a handful of events, checked at every state against what the vendors hold."""

from kernel_modules import Kernel
from model_check import explore


def test_every_state_up_to_six_events(kernel: Kernel) -> None:
    assert explore(kernel, 6) > 1_000
