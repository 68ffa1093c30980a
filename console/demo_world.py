"""The demo's surroundings: a folder of its own, the twins' keys in the environment, a quiet Prefect with a home of its own. `demo` only."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console.project import FILES
from syncline.errors import UsageError

FOLDER = Path("demo")
MARK = ".demo"
"""A file that says the folder is the demo's own and may be made anew."""

QUIET = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL", "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}  # fmt: skip
WITHOUT = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE", "PYTHONDONTWRITEBYTECODE")
"""Variables that would lead to somebody's real server, or make Prefect compile itself anew in every process."""


def make_folder() -> Path:
    """./demo, fresh: the shipped mapping in it. Raises UsageError when there is a folder of that name that is not ours."""
    from importlib.resources import files

    folder = FOLDER.absolute()
    if folder.exists() and not (folder / MARK).exists():
        raise UsageError(f"{folder} is there already and is not a demo's; run this elsewhere")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / MARK).touch()
        for name in ("mapping.yaml", "schema.json"):
            package, source = FILES[name]
            (folder / name).write_bytes(files(package).joinpath(source).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None
    return folder


@contextmanager
def surroundings(folder: Path, twins: Mapping[str, str]) -> Iterator[None]:
    """Until the block ends, this process works in the demo's folder and on the twins alone. Set before Prefect is first imported."""
    before, cwd = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory(prefix="syncline-prefect-", ignore_cleanup_errors=True) as home:
        for name in [name for name in os.environ if name.startswith("SYNCLINE_") or name in WITHOUT]:
            del os.environ[name]
        os.environ.update({**QUIET, **twins, "PREFECT_HOME": home})
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(before)
