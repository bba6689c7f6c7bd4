"""R3 for what cannot be read, and how long a report waits: rubbish is kept once, with its reason, and slows nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from tests.e2e.checker.faults import excuses, is_excused
from tests.e2e.checker.history import Finding, History, Witness

SLOW = "INTAKE"
"""The name of a breach that the list of invariants has among its faults: the consumer keeps its rate."""


def judge_intake(history: History) -> Iterator[Finding]:
    if history.witness is None:
        return
    yield from _kept_once(history, history.witness)
    yield from _pace(history)


def _kept_once(history: History, witness: Witness) -> Iterator[Finding]:
    kept: Counter[str] = Counter()
    for report in history.stored.rejected:
        for mark in witness.malformed:
            if mark in (report.body or ""):
                kept[mark] += 1
                if not report.reason:
                    yield Finding("R3", mark, "a rejected report without a reason")
    for mark, wanted in witness.malformed.items():
        if kept[mark] != wanted:
            yield Finding("R3", mark, f"an unreadable message left {kept[mark]} rejected reports, not {wanted}")


def _pace(history: History) -> Iterator[Finding]:
    """From when a worker was heard to say STARTED until the run's event of it; only where that event came of it."""
    spans = excuses(history.faults, history.expected.recovery)
    for (run, attempt), heard, stored in waits(history):
        if stored - heard > history.expected.taken and not is_excused(spans, heard, stored):
            waited = (stored - heard).total_seconds()
            yield Finding(SLOW, str(run), f"the STARTED of attempt {attempt} waited {waited:.1f} s, outside faults")


def waits(history: History) -> Iterator[tuple[tuple[object, int], datetime, datetime]]:
    """Of each attempt that was heard of before its event was stored."""
    started = history.witness.started if history.witness else {}
    for event in history.stored.events:
        if event.type != "run.started":
            continue
        heard = started.get((event.subject, event.attempt))
        told = event.committed or event.at
        if heard is not None and heard <= told:
            yield (event.subject, event.attempt), heard, told
