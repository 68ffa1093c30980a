"""Runs a module in a fresh process and says what it cost: CPU seconds (user and system, start-up too), peak memory, what it printed."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Cost:
    """`cpu_s`: of the whole process. `told`: the JSON it printed, {} if none; it holds `peak_mb` and `work_s`."""

    cpu_s: float
    told: Mapping[str, Any]

    @property
    def peak_mb(self) -> float:
        return float(self.told.get("peak_mb", 0))

    @property
    def work_s(self) -> float:
        """CPU without starting Python and importing."""
        return float(self.told["work_s"])


def cost(arguments: list[str], environ: Mapping[str, str]) -> Cost:
    """What `python <arguments>` costs. Raises RuntimeError with its last words when it fails."""
    before = _children_s()
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env={**os.environ, **environ}, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return Cost(_children_s() - before, json.loads(done.stdout) if done.stdout.strip() else {})


def peak_mb() -> float:
    """The most memory this process has held. Where the system tells, since its own start: `ru_maxrss` remembers the parent's size too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2


def _children_s() -> float:
    """CPU of ended children alone: the twins still run, so theirs is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
