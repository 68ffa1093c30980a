"""Fixtures of the kernel tests."""

import kernel_modules
import pytest


@pytest.fixture(scope="session")
def kernel() -> kernel_modules.Kernel:
    """The real kernel, in the form that the checks take."""
    return kernel_modules.real()
