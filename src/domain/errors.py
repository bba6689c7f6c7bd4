"""Everything that can be wrong, as one tree; each adapter maps it once.

RotaError
├── InvalidError              a value breaks a rule; names the field where it is known
│   └── KeyReusedError        an idempotency key that came with another call
├── NotFoundError             unknown, or another tenant's: the two are not told apart
├── ConflictError             the present state forbids it
│   ├── NameTakenError
│   ├── JobInUseError
│   ├── CalendarInUseError
│   ├── OverlapError          runs of the schedule go on, and it does not let them overlap
│   ├── TransitionError       a closed state machine has no such step
│   ├── KeyInFlightError      a call with the same idempotency key goes on
│   └── ConcurrentChangeError somebody else changed it first; trying again may work
├── StaleError                it is not what the caller last saw
├── ForbiddenError            the caller may not
├── UnauthenticatedError      the caller is nobody known
└── UnavailableError          a server Rota stands on does not answer; trying again may work
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class RotaError(Exception):
    """The root. `code` is stable and ends up in the problem document's `type`."""

    code: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field and what is wrong with it; `field` is the wire's dotted path, "" for the whole."""

    field: str
    message: str

    def under(self, prefix: str) -> FieldFault:
        """The same fault, seen from one level further out."""
        return FieldFault(f"{prefix}.{self.field}" if self.field else prefix, self.message)


class InvalidError(RotaError):
    """One or more values break a rule."""

    code = "invalid"

    def __init__(self, message: str, field: str = "", *, faults: tuple[FieldFault, ...] = ()) -> None:
        self.faults = faults or (FieldFault(field, message),)
        super().__init__("; ".join(f"{f.field}: {f.message}" if f.field else f.message for f in self.faults))

    def under(self, prefix: str) -> InvalidError:
        """The same error with every field one level further in (`trigger` -> `trigger.cron`)."""
        return InvalidError("", faults=tuple(fault.under(prefix) for fault in self.faults))


class KeyReusedError(InvalidError):
    code = "key-reused"

    def __init__(self) -> None:
        super().__init__("was used for another call; a key is for one call and its repetitions", "Idempotency-Key")


class NotFoundError(RotaError):
    """There is no such thing in this tenant."""

    code = "not-found"

    def __init__(self, kind: str, key: object) -> None:
        self.kind = kind
        self.key = key
        super().__init__(f"no such {kind}")


class ConflictError(RotaError):
    """What was asked cannot be done in the present state."""

    code = "conflict"


class NameTakenError(ConflictError):
    code = "name-taken"

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"there is already a {kind} named {name!r}")


class JobInUseError(ConflictError):
    code = "job-in-use"

    def __init__(self, name: str, by: str) -> None:
        self.name = name
        super().__init__(f"job {name!r} is in use by {by}")


class CalendarInUseError(ConflictError):
    code = "calendar-in-use"

    def __init__(self, name: str, by: str) -> None:
        self.name = name
        super().__init__(f"calendar {name!r} is in use by {by}")


class OverlapError(ConflictError):
    code = "overlap"

    def __init__(self, name: str) -> None:
        super().__init__(f"schedule {name!r} has a run that has not ended, and does not let its runs overlap")


class TransitionError(ConflictError):
    code = "transition"

    def __init__(self, kind: str, key: object, state: str, step: str) -> None:
        self.state = state
        self.step = step
        super().__init__(f"{kind} {key} is {state} and cannot {step}")


class KeyInFlightError(ConflictError):
    """`retry_after` is in seconds."""

    code = "key-in-flight"
    retry_after: ClassVar[float] = 1.0

    def __init__(self) -> None:
        message = "the first call with this key still goes on; ask again for its answer"
        self.faults = (FieldFault("Idempotency-Key", message),)
        super().__init__(f"Idempotency-Key: {message}")


class ConcurrentChangeError(ConflictError):
    code = "concurrent-change"

    def __init__(self, kind: str) -> None:
        super().__init__(f"the {kind} was changed by somebody else at the same time; try again")


class StaleError(RotaError):
    """What the caller made his change for is not there any more."""

    code = "precondition-failed"

    def __init__(self, version: int) -> None:
        message = f"does not name the present version, which is {version}"
        self.faults = (FieldFault("If-Match", message),)
        super().__init__(f"If-Match: {message}")


class ForbiddenError(RotaError):
    code = "forbidden"


class UnauthenticatedError(RotaError):
    code = "unauthenticated"


class UnavailableError(RotaError):
    """`retry_after` is in seconds."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)
