"""Redrives, backfills, retention and the auditor, wired to a bus."""

from __future__ import annotations

from rota.application.audit_once import AuditOnce, AuditOnceHandler
from rota.application.backfill_once import BackfillOnce, BackfillOnceHandler
from rota.application.backfill_schedule import BackfillSchedule, BackfillScheduleHandler
from rota.application.cancel_backfill import CancelBackfill, CancelBackfillHandler
from rota.application.cancel_redrive import CancelRedrive, CancelRedriveHandler
from rota.application.command import MessageBus
from rota.application.ports.audits import Audits
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.retention import Retention
from rota.application.ports.store import Begin
from rota.application.redrive_once import RedriveOnce, RedriveOnceHandler
from rota.application.redrive_runs import RedriveRuns, RedriveRunsHandler
from rota.application.remove_old import RemoveOld, RemoveOldHandler
from rota.domain.retention import RetentionPolicy


def wire_redrives(
    bus: MessageBus, *, begin: Begin, loops: Begin, clock: Clock, ids: Ids, rules: PayloadRules, nudge: Nudge
) -> None:
    """`RedriveOnce` is for the leader, behind live work."""
    bus.on(RedriveRuns, RedriveRunsHandler(begin, clock, ids, rules, nudge))
    bus.on(CancelRedrive, CancelRedriveHandler(begin, clock))
    bus.on(RedriveOnce, RedriveOnceHandler(loops, clock, ids))


def wire_backfills(
    bus: MessageBus, *, begin: Begin, loops: Begin, clock: Clock, ids: Ids, control: WorkerControl, nudge: Nudge
) -> None:
    """`BackfillOnce` is for the leader, behind live work."""
    bus.on(BackfillSchedule, BackfillScheduleHandler(begin, clock, ids, control, nudge))
    bus.on(CancelBackfill, CancelBackfillHandler(begin, clock))
    bus.on(BackfillOnce, BackfillOnceHandler(loops, clock, ids))


def wire_audit(bus: MessageBus, *, audits: Audits, begin: Begin, clock: Clock) -> None:
    """`AuditOnce` is for the leader, now and then."""
    bus.on(AuditOnce, AuditOnceHandler(audits, begin, clock))


def wire_retention(bus: MessageBus, *, store: Retention, clock: Clock, policy: RetentionPolicy) -> None:
    """`RemoveOld` is for the leader, when its tick has nothing to do."""
    bus.on(RemoveOld, RemoveOldHandler(store, clock, policy))
