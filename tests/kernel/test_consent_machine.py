"""An opt-out is never undone without proof that is newer, whatever happens in whatever order."""

from consent_machine import explore
from kernel_modules import Kernel


def test_six_events_in_every_order(kernel: Kernel) -> None:
    assert explore(kernel, 6) > 1_000
