"""What becomes of due times that are handled late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rota.domain.errors import InvalidError

LONGEST = timedelta(days=36_600)


@dataclass(frozen=True, slots=True, order=True)
class DueTime:
    """`scheduled_for` is the trigger's own instant and the identity; `due_at` is when it is to be acted on."""

    scheduled_for: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """`count` due times from `first` to `last`, both by `scheduled_for` and both included."""

    first: datetime
    last: datetime
    count: int

    @classmethod
    def over(cls, due: Sequence[DueTime]) -> Span | None:
        """Where a calendar has moved them, the first by `scheduled_for` need not be the first by `due_at`."""
        if not due:
            return None
        scheduled = [each.scheduled_for for each in due]
        return cls(min(scheduled), max(scheduled), len(due))


class MisfirePolicy(StrEnum):
    FIRE_ONCE = "FIRE_ONCE"
    FIRE_ALL = "FIRE_ALL"
    SKIP = "SKIP"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every due time that was judged is in exactly one of the three, each in order."""

    fire: Sequence[DueTime]
    catch_up: Sequence[DueTime]
    missed: Sequence[DueTime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfire:
    """A due time is a misfire once it is handled later than `grace`; inside the grace it always fires.

    `catchup_window` bounds FIRE_ALL: what was due longer ago than that is missed. None is no bound.
    """

    policy: MisfirePolicy = MisfirePolicy.FIRE_ONCE
    grace: timedelta = timedelta(seconds=30)
    catchup_window: timedelta | None = None

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.grace <= LONGEST:
            raise InvalidError("must be from 0 to 100 years", "graceSec")
        if self.catchup_window is not None and not timedelta(0) <= self.catchup_window <= LONGEST:
            raise InvalidError("must be from 0 to 100 years", "catchupWindowSec")

    def judge(self, due: Sequence[DueTime], now: datetime, *, more_follow: bool = False) -> Verdict:
        """Sorts `due` (in order of `due_at`, none later than `now`) by the policy.

        `more_follow` says that later due times, due already, are judged next: then none of these is the latest.
        """
        grace_began = now - self.grace
        late = sum(1 for each in due if each.due_at < grace_began)
        misfires, fresh = due[:late], due[late:]
        if self.policy is MisfirePolicy.FIRE_ALL:
            beyond = self._beyond_window(misfires, now)
            return Verdict(fresh, misfires[beyond:], misfires[:beyond])
        if self.policy is MisfirePolicy.FIRE_ONCE and misfires and not fresh and not more_follow:
            return Verdict(misfires[-1:], (), misfires[:-1])
        return Verdict(fresh, (), misfires)

    def _beyond_window(self, misfires: Sequence[DueTime], now: datetime) -> int:
        if self.catchup_window is None:
            return 0
        opened = now - self.catchup_window
        return sum(1 for each in misfires if each.due_at < opened)
