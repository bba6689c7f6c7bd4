"""What a test run had of each kind: a check of what there was none of has shown nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.e2e.checker.history import History


def variety(history: History) -> Mapping[str, Mapping[str, int]]:
    runs = history.stored.runs.values()
    witness = history.witness
    triggers = {
        event.key: f"{event.data['trigger']['type']} {event.data.get('overlap') or 'ALLOW'}"
        for event in history.stored.events
        if event.type == "schedule.created"
    }
    counted = {
        "targets": Counter(f"{run.kind} {run.state}" for run in runs),
        "causes": Counter(run.cause for run in runs),
        "schedules": Counter(triggers.get((run.tenant, run.schedule), "") for run in runs if run.schedule),
        "requests": Counter(request.receiver for request in witness.requests) if witness else {},
        "cancelled": Counter(history.stored.runs[key].state for key in witness.cancelled) if witness else {},
    }
    return {name: dict(counts) for name, counts in counted.items()}
