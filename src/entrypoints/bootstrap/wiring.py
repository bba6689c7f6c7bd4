"""Builds the use cases from adapters. Only this package knows every class; a test passes its own adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from rota.application.ask_store_health import AskStoreHealth, AskStoreHealthHandler
from rota.application.cancel_run import CancelRun, CancelRunHandler
from rota.application.catch_up import CatchUpHandler, CatchUpOnce
from rota.application.change_calendar import ChangeCalendar, ChangeCalendarHandler
from rota.application.change_job import ChangeJob, ChangeJobHandler
from rota.application.change_schedule import ChangeSchedule, ChangeScheduleHandler
from rota.application.check_health import CheckHealth, CheckHealthHandler
from rota.application.command import MessageBus
from rota.application.create_calendar import CreateCalendar, CreateCalendarHandler
from rota.application.create_job import CreateJob, CreateJobHandler
from rota.application.create_runs import CreateRuns, CreateRunsHandler
from rota.application.create_schedules import CreateSchedules, CreateSchedulesHandler
from rota.application.delete_calendar import DeleteCalendar, DeleteCalendarHandler
from rota.application.delete_job import DeleteJob, DeleteJobHandler
from rota.application.delete_schedule import DeleteSchedule, DeleteScheduleHandler
from rota.application.disable_schedule import DisableSchedule, DisableScheduleHandler
from rota.application.dispatch import Credit, LaneCredit, Sender
from rota.application.dispatch_runs import DispatchRuns, DispatchRunsHandler
from rota.application.drain_worker import DrainWorker, DrainWorkerHandler
from rota.application.enable_schedule import EnableSchedule, EnableScheduleHandler
from rota.application.fire_schedules import FireSchedules, FireSchedulesHandler
from rota.application.follow_ends import FollowEnds, FollowEndsHandler
from rota.application.import_days import ImportDays, ImportDaysHandler
from rota.application.judge_carriers import JudgeCarriers, JudgeCarriersHandler
from rota.application.judge_workers import JudgeWorkers, JudgeWorkersHandler
from rota.application.keep_lanes import KeepLanes, KeepLanesHandler
from rota.application.look_at_lanes import LookAtLanes, LookAtLanesHandler
from rota.application.ports.bus import Announce, EventFeed, Nudge, WorkerControl, WorkLanes
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.health import AskStore
from rota.application.ports.hearing import Hearing
from rota.application.ports.log import Cursors, EventLog
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.queued_runs import QueuedRuns
from rota.application.ports.store import Begin
from rota.application.register_worker import RegisterWorker, RegisterWorkerHandler
from rota.application.relay_events import RelayEvents, RelayEventsHandler
from rota.application.restore_lanes import RestoreLanes, RestoreLanesHandler
from rota.application.resume_schedules import ResumeSchedules, ResumeSchedulesHandler
from rota.application.retry_run import RetryRun, RetryRunHandler
from rota.application.send_again import SendAgain, SendAgainHandler
from rota.application.skip_fires import SkipFires, SkipFiresHandler
from rota.application.take_heartbeats import TakeHeartbeats, TakeHeartbeatsHandler
from rota.application.take_reports import TakeReports, TakeReportsHandler
from rota.application.trigger_schedule import TriggerSchedule, TriggerScheduleHandler
from rota.application.wake_runs import WakeRuns, WakeRunsHandler
from rota.domain.ids import TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What the use cases stand on. The loops and the API have a store each, so that neither starves the other."""

    begin: Begin
    loops: Begin
    clock: Clock
    ids: Ids
    queued: QueuedRuns
    hearing: Hearing
    log: EventLog
    cursors: Cursors
    lanes: WorkLanes
    feed: EventFeed
    control: WorkerControl
    announce: Announce
    nudge: Nudge
    deliveries: Nudge
    rules: PayloadRules
    ask_store: AskStore
    weights: Mapping[TenantId, float] = field(default_factory=dict)
    at: Checkpoint = pass_by


@dataclass(frozen=True, slots=True)
class Wired:
    bus: MessageBus
    sender: Sender
    relay: RelayEventsHandler


def wire(on: Adapters) -> Wired:
    sender = Sender(on.lanes, on.deliveries)
    credit = LaneCredit(sender)
    relay = RelayEventsHandler(on.log, on.cursors, on.feed, on.clock, on.at)
    bus = MessageBus()
    _wire_callers(bus, on, credit, sender)
    bus.on(FireSchedules, FireSchedulesHandler(on.loops, on.clock, on.ids, credit, sender, on.control, on.at))
    bus.on(WakeRuns, WakeRunsHandler(on.loops, on.clock, credit, sender, on.control))
    bus.on(FollowEnds, FollowEndsHandler(on.loops))
    bus.on(ResumeSchedules, ResumeSchedulesHandler(on.loops, on.clock))
    bus.on(DispatchRuns, DispatchRunsHandler(on.loops, on.clock, sender, on.weights))
    bus.on(LookAtLanes, LookAtLanesHandler(on.loops, credit))
    bus.on(JudgeCarriers, JudgeCarriersHandler(on.loops, on.clock, sender))
    bus.on(CatchUpOnce, CatchUpHandler(on.loops, on.clock, on.ids))
    bus.on(JudgeWorkers, JudgeWorkersHandler(on.loops, on.clock, on.hearing, on.lanes, sender))
    bus.on(KeepLanes, KeepLanesHandler(on.lanes, on.queued, on.cursors, on.clock, sender))
    bus.on(RestoreLanes, RestoreLanesHandler(on.loops, on.lanes))
    bus.on(SendAgain, SendAgainHandler(on.lanes, on.queued, on.clock, sender))
    bus.on(TakeReports, TakeReportsHandler(on.loops, on.clock, sender, on.control, on.nudge, on.at))
    bus.on(TakeHeartbeats, TakeHeartbeatsHandler(on.loops, on.clock, on.announce))
    bus.on(RelayEvents, relay)
    return Wired(bus, sender, relay)


def _wire_callers(bus: MessageBus, on: Adapters, credit: Credit, sender: Sender) -> None:
    bus.on(CreateSchedules, CreateSchedulesHandler(on.begin, on.clock, on.ids, on.rules, on.nudge))
    bus.on(ChangeSchedule, ChangeScheduleHandler(on.begin, on.clock, on.ids, on.rules, on.control, on.nudge))
    bus.on(EnableSchedule, EnableScheduleHandler(on.begin, on.clock, on.ids, on.control, on.nudge))
    bus.on(DisableSchedule, DisableScheduleHandler(on.begin, on.clock, on.ids, on.control, on.nudge))
    bus.on(SkipFires, SkipFiresHandler(on.begin, on.clock, on.ids, on.control, on.nudge))
    bus.on(DeleteSchedule, DeleteScheduleHandler(on.begin, on.clock, on.ids, on.control, on.nudge))
    bus.on(TriggerSchedule, TriggerScheduleHandler(on.begin, on.clock, on.ids, on.rules, on.control, on.nudge))
    bus.on(CreateJob, CreateJobHandler(on.begin, on.clock, on.ids))
    bus.on(ChangeJob, ChangeJobHandler(on.begin, on.clock))
    bus.on(DeleteJob, DeleteJobHandler(on.begin, on.clock, on.lanes))
    change_calendar = ChangeCalendarHandler(on.begin, on.clock, on.ids, on.control, on.nudge)
    bus.on(CreateCalendar, CreateCalendarHandler(on.begin, on.clock, on.ids))
    bus.on(ChangeCalendar, change_calendar)
    bus.on(ImportDays, ImportDaysHandler(change_calendar))
    bus.on(DeleteCalendar, DeleteCalendarHandler(on.begin, on.clock))
    bus.on(CreateRuns, CreateRunsHandler(on.begin, on.clock, on.ids, on.rules, credit, sender, on.nudge))
    bus.on(RegisterWorker, RegisterWorkerHandler(on.begin, on.clock, on.ids, on.lanes))
    bus.on(DrainWorker, DrainWorkerHandler(on.begin, on.clock, on.control))
    bus.on(CheckHealth, CheckHealthHandler(on.ask_store, lambda: on.lanes.is_up, version("tzdata")))
    bus.on(AskStoreHealth, AskStoreHealthHandler(on.ask_store))
    bus.on(CancelRun, CancelRunHandler(on.begin, on.clock, on.control, on.nudge))
    bus.on(RetryRun, RetryRunHandler(on.begin, on.clock, on.ids, on.rules, on.nudge))
