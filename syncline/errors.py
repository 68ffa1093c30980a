"""Errors, grouped by what to do next. Anyone may raise them; only `flows` decides by them, with one `match` on `recovery`.

    STOP    the run ends; a person must act first
    RETRY   nothing was written; the same call may be made again later
    REREAD  the world moved, or we do not know whether we moved it: look again, decide again, never blind-repeat
    HOLD    one record or one field waits with its reason; everything else goes on

`str(error)` is for the operator and never holds personal data or a secret. `detail` is for the change log and may hold values.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Recovery(enum.Enum):
    """What the runner should do next."""

    STOP = "stop"
    RETRY = "retry"
    REREAD = "reread"
    HOLD = "hold"


class SyncError(Exception):
    """Base of all. `exit_code` is what the command line answers with when this ends a run."""

    recovery: ClassVar[Recovery] = Recovery.STOP
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class UsageError(SyncError):
    """The command, its settings or its environment are wrong."""

    exit_code = 2


class MappingError(SyncError):
    """The mapping cannot be used. `problems` holds every one of them, each as `file:line: text`."""

    exit_code = 2

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class AuthFailed(SyncError):
    """The system does not accept our credentials."""

    exit_code = 2


class Forbidden(SyncError):
    """The credentials are good but a scope or permission is missing."""

    exit_code = 2


class SchemaDrift(SyncError):
    """A mapped field has gone, or changed its type, at the vendor."""

    exit_code = 2


class GuardTripped(SyncError):
    """A limit of the mapping would be exceeded; nothing was written."""

    exit_code = 3


class LogBroken(SyncError):
    """The change log does not verify."""


class CursorRegressed(SyncError):
    """A side's clock or data went back in time (a restored backup?)."""

    exit_code = 3


class LockHeld(SyncError):
    """Another run holds the lease."""

    exit_code = 4


class Unreachable(SyncError):
    """The system did not answer, or not in its own language; after our own repeats, and nothing was written."""

    recovery = Recovery.RETRY
    exit_code = 5


class RateLimited(SyncError):
    """The system asked us to wait. `after_s` is its wish in seconds, or None when it named none."""

    recovery = Recovery.RETRY
    exit_code = 5

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class BudgetSpent(SyncError):
    """The run's own call budget for one system is used up; the rest waits for the next run."""

    recovery = Recovery.RETRY


class Stale(SyncError):
    """The record changed since we read it; our write was refused."""

    recovery = Recovery.REREAD


class Vanished(SyncError):
    """The record is not there any more."""

    recovery = Recovery.REREAD


class Merged(SyncError):
    """The record was merged into another one, `into`."""

    recovery = Recovery.REREAD

    def __init__(self, message: str, *, into: str) -> None:
        super().__init__(message)
        self.into = into


class AlreadyExists(SyncError):
    """A create met an existing record; `ref` names it when the vendor did."""

    recovery = Recovery.REREAD

    def __init__(self, message: str, *, ref: str | None = None) -> None:
        super().__init__(message)
        self.ref = ref


class OutcomeUnknown(SyncError):
    """A write was sent and no answer came: it may or may not have been applied."""

    recovery = Recovery.REREAD


class Rejected(SyncError):
    """The system refuses this record, or one native `field` of it."""

    recovery = Recovery.HOLD

    def __init__(self, message: str, *, field: str | None = None, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.field = field


class ConsentRefused(Rejected):
    """The system refuses a change of consent; only the person can make it."""


class Ambiguous(SyncError):
    """More than one record could be this person; a person decides."""

    recovery = Recovery.HOLD


class UnknownChoice(SyncError):
    """A native value that the mapping's value table does not know."""

    recovery = Recovery.HOLD
