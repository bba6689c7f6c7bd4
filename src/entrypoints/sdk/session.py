"""The life of one registration.

    open      connected to the bus with the credentials that came with it, listening
    serving   pulls, carries, reports, beats
    draining  pulls nothing more; what runs may finish, then it is handed back
    over      drained; or given up by the server, or shut out by the bus: then the worker registers anew

Three tasks share it: the turns (woken by whatever happened, they move everything on, a set at a time), the heartbeats,
and the upkeep (what only the passing of time brings up).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from typing import Final

import structlog
from nats.aio.msg import Msg

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.bus import NoAnswerError
from rota.entrypoints.sdk.carrying import Carrier
from rota.entrypoints.sdk.control import Control
from rota.entrypoints.sdk.fetching import Fetcher
from rota.entrypoints.sdk.heart import Heart
from rota.entrypoints.sdk.jobs import Job
from rota.entrypoints.sdk.lanes import Lane, Lanes
from rota.entrypoints.sdk.link import Link
from rota.entrypoints.sdk.registration import Registrar, Registration
from rota.entrypoints.sdk.reporting import Entry, Reports
from rota.entrypoints.sdk.roster import Roster
from rota.entrypoints.sdk.slots import Slots
from rota.entrypoints.sdk.threads import Threads
from rota.entrypoints.sdk.waiting import first_of

log = structlog.get_logger("rota.worker")

UPKEEP: Final = 0.25
BLOCKED: Final = 1.0
"""Seconds by which the upkeep may be late before that is worth a warning: heartbeats are late, too."""
LAST_WORDS: Final = 7.0
"""Seconds that a drain leaves for handlers to clean up and for the last reports to be stored."""


class Ending(Enum):
    """How a registration ended."""

    DRAINED = auto()
    GIVEN_UP = auto()
    """By the server: whatever it carried is lost."""
    SHUT_OUT = auto()
    """The bus was not reached, or refused the credentials."""


@dataclass(frozen=True, slots=True)
class Drain:
    """The wish to stop, and how patiently."""

    asked: asyncio.Event
    hurried: asyncio.Event
    """Asked twice: what runs is handed back at once."""
    timeout: float


class Session:
    """One registration, from its connection to its end."""

    def __init__(
        self,
        registration: Registration,
        registrar: Registrar,
        name: str,
        jobs: Mapping[str, Job],
        slots: Slots,
        threads: Threads,
        drain: Drain,
    ) -> None:
        tenant = registrar.tenant_of(registration)
        worker_id = registration.worker_id
        self._registrar = registrar
        self._worker_id = worker_id
        self._slots = slots
        self._drain = drain
        self._woken = asyncio.Event()
        self._is_stopped = False
        self._over = asyncio.Event()
        self._ending = Ending.DRAINED
        self._roster = Roster()
        self._link = Link(registration, name, self._reconnected)
        lanes = Lanes([Lane(lane.job, lane.stream, lane.consumer) for lane in registration.lanes if lane.job in jobs])
        self._fetcher = Fetcher(self._link, lanes, self._roster, slots, self._woken.set)
        self._reports = Reports(self._link, wire.report_subject(tenant), self._stored, self._woken.set)
        self._carrier = Carrier(worker_id, jobs, self._link, self._roster, slots, threads, self._fetcher, self._reports)
        self._control = Control(self._roster, self._carrier, drain.asked.set, self._given_up)
        self._control_subject = wire.control_subject(tenant, worker_id)
        self._heart = Heart(
            worker_id,
            tenant,
            registration.heartbeat_sec,
            slots.capacity,
            self._link,
            self._roster,
            self._reports.place,
            self._control,
        )

    async def serve(self) -> Ending:
        """Returns when the registration is over; nothing of it is left behind."""
        try:
            await self._open()
            return await self._live()
        except NoAnswerError as error:
            log.warning("bus_not_reached", error=str(error))
            return Ending.SHUT_OUT
        finally:
            await self._close()

    async def _open(self) -> None:
        await self._link.open()
        await self._reports.open()
        await self._fetcher.open()
        await self._link.listen(self._control_subject, self._ordered)
        self._slots.freed = self._woken.set

    async def _live(self) -> Ending:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in (self._turn(), self._heart.beat(), self._look_after())]
            try:
                await first_of(self._over.wait(), self._drain.asked.wait())
                if not self._over.is_set():
                    group.create_task(self._registrar.drain(self._worker_id))
                    await self._wind_down()
            finally:
                self._stop(tasks)
        return self._ending

    def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        """A flag besides the cancellation: nats-py, and `wait_for` of Python 3.11, swallow one now and then."""
        self._is_stopped = True
        self._heart.stop()
        self._woken.set()
        for task in tasks:
            task.cancel()

    async def _wind_down(self) -> None:
        self._heart.is_draining = True
        self._heart.hurry()
        log.info("worker_draining", running=self._slots.running)
        await self._fetcher.stop()
        await self._until_empty(self._drain.timeout, self._drain.hurried)
        self._carrier.release_all()
        await self._until_empty(LAST_WORDS)
        if self._link.is_up and not self._over.is_set():
            await self._heart.beat_once()

    async def _until_empty(self, timeout: float, *unless: asyncio.Event) -> None:
        ends = [self._roster.empty, self._over, *unless]
        await first_of(*[event.wait() for event in ends], timeout=timeout)

    async def _turn(self) -> None:
        while not self._is_stopped:
            await self._woken.wait()
            self._woken.clear()
            await self._carrier.turn()
            await self._reports.flush()
            await self._fetcher.pull()

    async def _look_after(self) -> None:
        self._woken.set()
        while not self._is_stopped:
            due = monotonic() + UPKEEP
            await asyncio.sleep(UPKEEP)
            now = monotonic()
            if now - due > BLOCKED:
                log.warning("event_loop_blocked", seconds=round(now - due, 2))
            await self._keep_up(now)

    async def _keep_up(self, now: float) -> None:
        if self._link.is_closed:
            self._end(Ending.SHUT_OUT)
        await self._fetcher.look_after(now)
        await self._carrier.look_after(now)
        if self._link.is_up:
            await self._reports.send_again(now)
        self._woken.set()

    async def _close(self) -> None:
        self._slots.freed = lambda: None
        self._carrier.abandon_all()
        self._reports.drop()
        await self._link.close()

    async def _ordered(self, message: Msg) -> None:
        self._control.obey(message.data)
        self._woken.set()

    def _stored(self, entries: list[Entry]) -> None:
        self._carrier.stored(entries)

    def _given_up(self) -> None:
        self._end(Ending.GIVEN_UP)

    def _end(self, ending: Ending) -> None:
        self._ending = ending
        self._over.set()

    def _reconnected(self) -> None:
        self._fetcher.reconnected()
        self._reports.reconnected()
        self._heart.hurry()
        self._woken.set()
