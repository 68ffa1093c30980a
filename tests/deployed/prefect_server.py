"""A real Prefect server and worker of our own, on a free port and in a folder of their own; ended by process id."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 240


@dataclass
class PrefectServer:
    """`url` is the UI's; the API is below it. `environ`: what every Prefect command needs to reach this server and nobody else."""

    url: str
    environ: dict[str, str]
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cli(self, *words: str) -> str:
        """Run one `prefect` command to its end; fails with its output."""
        command = [*PREFECT, *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, f"prefect {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, *words: str) -> None:
        """Start a `prefect` command that stays; it is ended with the server."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        self.children.append(subprocess.Popen([*PREFECT, *words], cwd=ROOT, env=self.environ, **quiet))

    def api(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the server's API: POST with a body, GET without."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/{path}", data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())


PREFECT = [sys.executable, "-m", "prefect"]


@contextmanager
def prefect_server(home: Path, extra: Mapping[str, str]) -> Iterator[PrefectServer]:
    """Start a server with an empty database under `home` and wait until it is healthy."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_") and key != "PYTHONDONTWRITEBYTECODE"}
    environ |= {
        "PREFECT_HOME": str(home), "PREFECT_API_URL": f"{url}/api", "PREFECT_SERVER_UI_API_URL": f"{url}/api", "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PYTHONPATH": str(ROOT), "PWD": str(ROOT), **extra,
    }  # fmt: skip
    server = PrefectServer(url, environ)
    server.start("server", "start", "--host", "127.0.0.1", "--port", str(port))
    try:
        wait_until(lambda: _healthy(server), "the Prefect server is healthy")
        yield server
    finally:
        for child in reversed(server.children):
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(30)


def wait_until(true: Any, what: str) -> Any:
    """Ask again until the answer is truthy; fails with `what` when patience ends."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answer = true()
        if answer:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"gave up waiting until {what}")


def _healthy(server: PrefectServer) -> bool:
    try:
        return bool(server.api("health"))
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
