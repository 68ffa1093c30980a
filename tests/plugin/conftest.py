"""Our wheel, a third party's wheel, and an environment with both."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.plugin.environments import Environment, build_wheel, fresh_environment

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
collect_ignore = ["jsonfile_connector"]  # its tests run where it is installed


@pytest.fixture(scope="session")
def our_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(CHECKOUT, tmp_path_factory.mktemp("our-wheel"))


@pytest.fixture(scope="session")
def their_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the third party's project, away from the checkout."""
    return shutil.copytree(HERE / "jsonfile_connector", tmp_path_factory.mktemp("theirs") / "jsonfile_connector")


@pytest.fixture(scope="session")
def installed(our_wheel: Path, their_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    theirs = build_wheel(their_source, tmp_path_factory.mktemp("their-wheel"))
    return fresh_environment(tmp_path_factory.mktemp("fresh") / "venv", [our_wheel, theirs])
