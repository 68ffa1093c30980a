"""One fault in a fresh process: `python -m tests.mutants.one engine|kernel|none NUMBER`. The last line says what noticed it, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType

from tests.mutants.engine_faults import ENGINE_FAULTS, Fault


class _Loader(SourceFileLoader):
    """Loads the faulty text in place of the file's own; nothing of it is ever cached on disk."""

    fault: Fault

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.fault.text(), self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self._fault.module:
            return None
        loader = _Loader(fullname, str(self._fault.path))
        loader.fault = self._fault
        return spec_from_file_location(fullname, self._fault.path, loader=loader)


def main(kind: str, number: int) -> str:
    """What noticed the fault, "" for nothing."""
    from tests.mutants import battery

    if kind == "kernel":
        sys.path.insert(0, battery.KERNEL_TESTS)
        from faults import FAULTS
        from kernel_modules import mutated
        from suite import caught

        return "the kernel's suite" if caught(mutated(*FAULTS[number][1:])) else ""
    fault = ENGINE_FAULTS[number] if kind == "engine" else None
    if fault is not None:
        fault.text()
        sys.meta_path.insert(0, _Finder(fault))
    return battery.noticed_by(fault.tests if fault is not None else ())


if __name__ == "__main__":
    found = main(sys.argv[1], int(sys.argv[2]))
    print(json.dumps({"noticed_by": found}))
