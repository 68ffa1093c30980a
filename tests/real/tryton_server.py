"""A real Tryton server for one test run: a copy of the cached database, a process of its own, a free loopback port.

    with tryton() as server:
        Rpc(server.base_url, server.database, server.user, server.password)

For tests/real, the benchmarks and `make test-real`. The server is stopped by its process id, whatever the test did.
"""

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.tryton_install import PASSWORD, Installation, clean_environment, installed, write_config

START_TIMEOUT_S = 120
POLL_S = 0.05
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy in the environment is not for the loopback


@dataclass(frozen=True, slots=True)
class Server:
    """What a client needs to sign in. ``base_url`` has no trailing slash and no database in it."""

    base_url: str
    database: str
    user: str
    password: str


@contextmanager
def tryton() -> Iterator[Server]:
    """A fresh server holding the party module and one administrator; gone, data and all, at the end of the block."""
    made = installed()
    with tempfile.TemporaryDirectory(prefix="syncline-tryton-") as name:
        folder = Path(name)
        database = f"syncline_{uuid.uuid4().hex[:12]}"  # a name of our own: no other server on this port can answer for it
        shutil.copyfile(made.template, folder / f"{database}.sqlite")
        port = _free_port()
        with _running(made, folder, database, port):
            yield Server(f"http://127.0.0.1:{port}", database, "admin", PASSWORD)


@contextmanager
def _running(made: Installation, folder: Path, database: str, port: int) -> Iterator[None]:
    log = folder / "server.log"
    command = [str(made.python), str(made.command), "-c", str(write_config(folder, port)), "-d", database]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=clean_environment(), cwd=folder)
    try:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/rpc/", log)
        yield
    finally:
        _stop(process)


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Tryton did not start (exit code {process.poll()}):\n{log.read_text()[-2000:]}")
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    body = json.dumps({"id": 1, "method": "common.server.version", "params": []}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with DIRECT.open(request, timeout=5) as answer:
            return "result" in json.load(answer)
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
