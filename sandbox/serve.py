"""Starts both twins: in a thread for tests and the demo, or in a process of their own for benchmarks.

with start_twins(contacts=200, seed=7) as twins: ...
python -m sandbox.serve --dir DIR --contacts N --seed S
"""

import argparse
import asyncio
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from .handles import Twin, Twins
from .hubspot import HubSpot
from .mailchimp import AUDIENCE, Mailchimp
from .seed import seed as fill
from .wire import Door


@contextmanager
def start_twins(contacts: int = 0, seed: int = 7, *, rate: bool = True, apart: bool = False) -> Iterator[Twins]:
    """Both twins, seeded and answering. `apart` runs them in a subprocess (then `.state` is None); `rate` turns limits on."""
    with (_in_process if apart else _in_thread)(contacts, seed, rate) as twins:
        yield twins


@contextmanager
def _in_thread(contacts: int, seed: int, rate: bool) -> Iterator[Twins]:
    hubspot, mailchimp = HubSpot(rate=rate), Mailchimp(rate=rate)
    people = fill(hubspot, mailchimp, contacts, seed)
    sockets = [_listen() for _ in range(2)]
    servers = [_server(Door(vendor)) for vendor in (hubspot, mailchimp)]
    thread = threading.Thread(target=_run, args=(servers, sockets), daemon=True)
    thread.start()
    urls = [f"http://127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    try:
        while not all(s.started for s in servers):
            time.sleep(0.002)
        yield Twins(
            Twin(urls[0], token=hubspot.token, vendor=hubspot),
            Twin(urls[1], key=mailchimp.key, audience=AUDIENCE, vendor=mailchimp),
            people,
        )
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(5)


def _listen() -> socket.socket:
    """A free local port. The protocol is named because asyncio turns Nagle's delay (40 ms an answer) off only then."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.bind(("127.0.0.1", 0))
    sock.listen(2048)
    return sock


def _server(door: Door) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(
        door, lifespan="off", access_log=False, log_level="warning", server_header=False, date_header=False, proxy_headers=False,
        timeout_graceful_shutdown=1, timeout_keep_alive=60, ws="none", backlog=2048,
    ))  # fmt: skip


def _run(servers: list[uvicorn.Server], sockets: list[socket.socket]) -> None:
    async def both() -> None:
        await asyncio.gather(*(server.serve([sock]) for server, sock in zip(servers, sockets, strict=True)))

    asyncio.run(both())


@contextmanager
def _in_process(contacts: int, seed: int, rate: bool) -> Iterator[Twins]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sandbox.serve", "--dir", folder, "--contacts", str(contacts), "--seed", str(seed)]
        root = Path(__file__).parent.parent
        child = subprocess.Popen(  # noqa: S603 our own module
            command + ([] if rate else ["--no-rate"]), stdout=subprocess.PIPE, text=True, cwd=root
        )
        try:
            if not child.stdout.readline():  # type: ignore[union-attr]
                raise RuntimeError("the twins did not start")
            yield from_env(Path(folder) / "sandbox.env")
        finally:
            child.terminate()
            child.wait(10)
            child.stdout.close()  # type: ignore[union-attr]


def from_env(path: Path) -> Twins:
    """Handles on twins that run elsewhere, from the file they wrote."""
    env = dict(line.split("=", 1) for line in path.read_text().splitlines())
    return Twins(
        Twin(env["SYNCLINE_HUBSPOT_BASE_URL"], token=env["SYNCLINE_HUBSPOT_TOKEN"]),
        Twin(env["SYNCLINE_MAILCHIMP_BASE_URL"], key=env["SYNCLINE_MAILCHIMP_API_KEY"], audience=env["SYNCLINE_MAILCHIMP_AUDIENCE"]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.serve", description="Run both vendor twins until interrupted.")
    parser.add_argument("--dir", type=Path, default=Path("."), help="where sandbox.env is written")
    parser.add_argument("--contacts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-rate", action="store_true", help="no rate limits")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt), start_twins(asked.contacts, asked.seed, rate=not asked.no_rate) as twins:
        asked.dir.mkdir(parents=True, exist_ok=True)
        (asked.dir / "sandbox.env").write_text("".join(f"{name}={value}\n" for name, value in twins.env().items()))
        sys.stdout.write(f"ready: {asked.contacts} people; CRM {twins.hubspot.url}, marketing {twins.mailchimp.url}\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
