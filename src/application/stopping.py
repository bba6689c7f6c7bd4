"""What the worker of a run is told when it is to stop."""

from __future__ import annotations

from rota.application.ports.bus import Control, Order
from rota.domain.run import Run
from rota.domain.run_events import RunState


def timed_out(run: Run) -> list[Order]:
    """For the present attempt, if one is RUNNING, before it is ended."""
    return _order(run, "TIMEOUT", "the attempt's time is up")


def asked_to_stop(run: Run) -> list[Order]:
    """For a run that is RUNNING and was cancelled."""
    return _order(run, "CANCEL", run.reason or "cancelled")


def _order(run: Run, kind: str, reason: str) -> list[Order]:
    if run.state is not RunState.RUNNING or run.worker_id is None:
        return []
    return [(run.tenant_id, run.worker_id, Control(kind, reason, run.id, run.attempt))]
