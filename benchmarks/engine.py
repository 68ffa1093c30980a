"""The measured engine: opens the benchmark's mapping in a folder and runs one round, in a process of its own.

python -m benchmarks.engine FOLDER sync|sweep          prints {"report": …, "work_s": CPU without importing, "peak_mb": …}
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from benchmarks.measure import peak_mb
from benchmarks.work import WorkClock
from flows.round import run_round
from flows.settings import open_context

MAPPING = Path(__file__).with_name("mapping.yaml")


def main(folder: str, kind: str) -> None:
    clock = WorkClock()
    context = open_context(MAPPING, os.environ, Path(folder))
    try:
        report = run_round(context, kind)  # type: ignore[arg-type]
    finally:
        context.close()
    print(json.dumps({"report": report.as_dict(), "work_s": clock.seconds(), "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
