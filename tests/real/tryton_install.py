"""Install Tryton once: a virtual environment and a ready database, cached by the hash of the pinned requirements.

The cache is ``.cache/tryton`` under the project, or the folder named by ``SYNCLINE_TRYTON_CACHE``. A changed pin gets a folder
of its own, so an old server can never answer for a new one. For tests/real only.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements-tryton.txt")
PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "Adm1n-pass-real"  # of a database that lives in a temporary folder on the loopback interface
MODULES = ("party",)
INSTALL_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Installation:
    """One cached server: ``python`` is its interpreter, ``template`` the database file that each run copies."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def command(self) -> Path:
        return self.folder / "venv" / "bin" / "trytond"

    @property
    def template(self) -> Path:
        return self.folder / "template.sqlite"


def installed() -> Installation:
    """The installation for today's pins; made on first use (about half a minute), at once afterwards.

    Raises CalledProcessError, with the tool's own words on stderr, when pip or the first activation fails.
    """
    pins = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    made = Installation(cache_folder() / pins)
    with _only_one(made.folder):
        if not made.template.exists():  # renamed into place last, so its presence vouches for all the rest
            _make_venv(made)
            _make_database(made)
    return made


def cache_folder() -> Path:
    """Where installations are kept between runs."""
    return Path(os.environ.get("SYNCLINE_TRYTON_CACHE") or PROJECT / ".cache" / "tryton")


def clean_environment(**more: str) -> dict[str, str]:
    """Our environment without what would change the server, or make it compile its bytecode again at each start."""
    dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV"}
    kept = {k: v for k, v in os.environ.items() if k not in dropped and not k.startswith(("TRYTOND_", "TRYTONPASSFILE"))}
    return kept | more


def write_config(folder: Path, port: int) -> Path:
    """A trytond.conf for a SQLite database in ``folder``, listening on the loopback interface."""
    config = folder / "trytond.conf"
    config.write_text(f"[database]\nuri = sqlite://\npath = {folder}\nlist = False\n[web]\nlisten = 127.0.0.1:{port}\n")
    return config


def _make_venv(made: Installation) -> None:
    _run([sys.executable, "-m", "venv", "--clear", str(made.folder / "venv")])
    _run([str(made.python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(REQUIREMENTS)])


def _make_database(made: Installation) -> None:
    work = made.folder / "first"
    work.mkdir(exist_ok=True)
    database = work / "tryton.sqlite"
    database.write_bytes(b"")  # the server refuses a file that is not there
    (work / "password").write_text(PASSWORD + "\n")
    config = write_config(work, port=0)
    activate = [f"{made.command}-admin", "-c", str(config), "-d", "tryton", "--email", "admin@people.example"]
    _run([*activate, "--activate-dependencies", "-u", *MODULES], TRYTONPASSFILE=str(work / "password"))
    database.rename(made.template)


def _run(command: list[str], **environment: str) -> None:
    subprocess.run(command, check=True, env=clean_environment(**environment), timeout=INSTALL_TIMEOUT_S, stdin=subprocess.DEVNULL)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two test runs that start together must not build one folder twice."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
