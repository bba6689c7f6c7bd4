"""The verdict on one test run.

S6 is not judged here: it is arithmetic, and tried in every zone by the domain's own tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.e2e.checker.bus import judge_bus
from tests.e2e.checker.database import read_database
from tests.e2e.checker.delays import judge_delays
from tests.e2e.checker.deliveries import judge_deliveries
from tests.e2e.checker.firing import judge_firing
from tests.e2e.checker.history import Expectations, Fault, Finding, History, Key, Witness
from tests.e2e.checker.intake import judge_intake
from tests.e2e.checker.journals import read_journals
from tests.e2e.checker.limits import judge_limits
from tests.e2e.checker.log import judge_log
from tests.e2e.checker.oracle import Life, read_lives
from tests.e2e.checker.overlap import judge_overlap
from tests.e2e.checker.runs import judge_runs
from tests.e2e.checker.streams import read_streams

NOTHING = "EMPTY"
"""The invariant of a test run itself: one that saw no due time or no fault has shown nothing."""


async def read_history(
    database_url: str,
    nats_url: str | None,
    journals: Sequence[Path],
    faults: Sequence[Fault],
    expected: Expectations,
    accepted: Sequence[Key] = (),
    witness: Witness | None = None,
) -> History:
    """The streams are read before the database: what they hold must be in it."""
    return History(
        streams=None if nats_url is None else await read_streams(nats_url),
        executions=read_journals(journals),
        stored=await read_database(database_url),
        faults=faults,
        expected=expected,
        accepted=accepted,
        witness=witness,
    )


def judge(history: History) -> list[Finding]:
    """Every breach of an invariant; none is a pass."""
    return list(_judge(history, lives_of(history)))


def lives_of(history: History) -> list[Life]:
    stored = history.stored
    return read_lives(stored.events, stored.runs.values(), stored.read_at)


def _judge(history: History, lives: Sequence[Life]) -> Iterator[Finding]:
    if not any(due <= history.expected.until for life in lives for due in life.due):
        yield Finding(NOTHING, "due times", "there was none")
    if not history.faults:
        yield Finding(NOTHING, "faults", "there was none")
    yield from judge_firing(history, lives)
    yield from judge_runs(history)
    yield from judge_overlap(history, lives)
    yield from judge_limits(history)
    yield from judge_delays(history, lives)
    yield from judge_deliveries(history, lives)
    yield from judge_log(history, lives)
    yield from judge_bus(history)
    yield from judge_intake(history)
