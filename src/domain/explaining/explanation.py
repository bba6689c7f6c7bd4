"""Why a schedule did or will fire at an instant, or not: what each rule said, in the order in which they were asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Rule(StrEnum):
    """What is asked, in this order; what has no say in the matter is left out."""

    DEFINITION = "DEFINITION"  # which version of the schedule was in force
    TRIGGER = "TRIGGER"
    CLOCK_CHANGE = "CLOCK_CHANGE"
    START_AT = "START_AT"
    END_AT = "END_AT"
    CALENDAR = "CALENDAR"
    JITTER = "JITTER"
    CHANGE = "CHANGE"  # a change of the schedule between the trigger's instant and the due one
    ENABLED = "ENABLED"
    MERGE = "MERGE"  # several due times at one instant
    MAX_RUNS = "MAX_RUNS"
    SKIP = "SKIP"  # somebody wanted this one to be skipped
    MISFIRE = "MISFIRE"
    OVERLAP = "OVERLAP"
    RESULT = "RESULT"  # always the last


class Outcome(StrEnum):
    """The first three are of a rule, the others of the whole."""

    PASS = "PASS"
    MOVE = "MOVE"  # to another instant
    STOP = "STOP"  # nobody was asked behind this one

    FIRED = "FIRED"
    SKIPPED = "SKIPPED"  # there is a run that was never carried out
    MISSED = "MISSED"
    CATCHING_UP = "CATCHING_UP"  # missed, and its run is still to be made
    OVERDUE = "OVERDUE"  # its time has come, and nobody has decided it yet
    NOT_FIRED = "NOT_FIRED"
    NO_RECORD = "NO_RECORD"  # it was decided, and its run is not kept any more
    WILL_FIRE = "WILL_FIRE"
    WILL_NOT_FIRE = "WILL_NOT_FIRE"
    UNKNOWN = "UNKNOWN"  # it depends on what has not happened yet


@dataclass(frozen=True, slots=True)
class Step:
    """One rule, and what it said; `detail` is for people."""

    rule: Rule
    outcome: Outcome
    detail: str

    @property
    def stops(self) -> bool:
        """Whether nobody was asked behind it."""
        return self.outcome is Outcome.STOP


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`scheduled_for` is the trigger's instant that was looked at, `due_at` when it is acted on; None if there is none.

    The last step is the result.
    """

    at: datetime
    scheduled_for: datetime | None = None
    due_at: datetime | None = None
    steps: tuple[Step, ...] = field(default=())

    @property
    def result(self) -> Outcome:
        return self.steps[-1].outcome
