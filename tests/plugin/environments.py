"""Wheels, and fresh environments to install them in. Libraries are borrowed from this environment; ours and theirs are not.

The borrowing is a line in a .pth file: it lends what lies in the folder, and not what this environment's own .pth files add to it, so that
the checkout, though installed here, is out of reach there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def build_wheel(source: Path, into: Path) -> Path:
    """The wheel of a project. Raises CalledProcessError with the builder's own words on stderr."""
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(into), str(source)])
    [wheel] = into.glob("*.whl")
    return wheel


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment; `settings` are the variables its commands are given."""

    folder: Path

    @property
    def site_packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    def run(self, command: str, *arguments: object, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """One of its commands, run in `cwd`, which must not be the checkout."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}
        line = [str(self.folder / "bin" / command), *map(str, arguments)]
        return subprocess.run(line, cwd=cwd, env=kept | settings, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def fresh_environment(folder: Path, wheels: Sequence[Path]) -> Environment:
    """A new environment holding `wheels`, which pip installs without asking any index."""
    venv.create(folder, with_pip=False)
    made = Environment(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", "--no-deps", "--no-index", *map(str, wheels)])
    lent = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (made.site_packages / "borrowed.pth").write_text("\n".join(sorted(lent)))  # last: pip must not find `syncline` there
    return made


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
