"""Claiming work: pulls go out, messages come in."""

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

import structlog
from nats.aio.msg import Msg

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.bus import Bus
from rota.entrypoints.sdk.lanes import PULL_WAIT, Lane, Lanes, Pull
from rota.entrypoints.sdk.roster import Roster
from rota.entrypoints.sdk.slots import Slots
from rota.entrypoints.sdk.work import Attempt, MalformedWorkError, Stage, WorkItem, read_work

log = structlog.get_logger("rota.worker")

PATIENCE: Final = 1.0
"""Seconds a claimed message may wait for a slot before it is given to others."""
_EMPTY: Final = frozenset({"404", "408"})
"""Answers to a pull: no messages, or none in time."""


class Fetcher:
    """Keeps pulls out for the room there is, and what they bring until it starts."""

    def __init__(self, bus: Bus, lanes: Lanes, roster: Roster, slots: Slots, wake: Callable[[], None]) -> None:
        self._bus = bus
        self._lanes = lanes
        self._roster = roster
        self._slots = slots
        self._wake = wake
        self._inboxes: dict[str, str] = {}
        self._is_stopped = False

    async def open(self) -> None:
        for number, lane in enumerate(self._lanes):
            prefix = f"{self._bus.inbox}.pull.{number}"
            await self._bus.listen(f"{prefix}.*", partial(self._received, lane))
            self._inboxes[lane.consumer] = prefix

    async def pull(self) -> None:
        """Asks for as many messages as there is room for."""
        if self._is_stopped or not self._bus.is_up:
            return
        room = self._slots.may_claim()
        if room < self._slots.capacity <= self._slots.claimed:
            return  # enough is claimed to go on with: wait until a pull is worth its while
        for pull in self._lanes.pulls(room, monotonic()):
            await self._ask(pull)

    def take(self, count: int) -> list[Attempt]:
        """Up to `count` claimed attempts, fairly over the lanes; they are the caller's now."""
        if count < 1 or self._slots.claimed == 0:
            return []
        taken = self._lanes.next_claimed(count)
        self._slots.claimed -= len(taken)
        return taken

    async def stop(self) -> None:
        """Claims nothing more, and gives back what is claimed."""
        self._is_stopped = True
        for attempt in self.take(self._slots.claimed):
            await self._give_back(attempt)

    async def look_after(self, now: float) -> None:
        """Gives up pulls without an answer, and gives back what has waited too long for a slot."""
        for lane in self._lanes:
            if lane.due and now >= lane.given_up_at:
                lane.forget()
            while lane.waiting and now - lane.waiting[0].since >= PATIENCE:
                self._slots.claimed -= 1
                await self._give_back(lane.waiting.popleft())

    def reconnected(self) -> None:
        """Pulls die with the connection that sent them."""
        for lane in self._lanes:
            lane.forget()

    async def _ask(self, pull: Pull) -> None:
        lane = pull.lane
        request = {"batch": pull.batch} | ({"no_wait": True} if pull.is_sweep else {"expires": int(PULL_WAIT * 1e9)})
        subject = wire.pull_subject(lane.stream, lane.consumer)
        await self._bus.send(subject, wire.encode(request), f"{self._inboxes[lane.consumer]}.{lane.pull}")

    async def _received(self, lane: Lane, message: Msg) -> None:
        if message.reply:
            lane.filled_by_one()
            await self._claim(lane, message)
        elif message.subject.endswith(f".{lane.pull}"):
            _answered(lane, message)
        self._wake()

    async def _claim(self, lane: Lane, message: Msg) -> None:
        try:
            item = read_work(message.data)
        except MalformedWorkError as error:
            log.error("work_unreadable", job=lane.job, error=str(error))
            await self._bus.send(message.reply, wire.TERM)
            return
        if not await self._is_known(item, message.reply):
            await self._hold(lane, item, message.reply)

    async def _is_known(self, item: WorkItem, reply: str) -> bool:
        """Deals with a message that has come before."""
        held = self._roster.get(item.key)
        if held is not None and held.stage <= Stage.STARTING:
            held.copies.append(held.reply)  # the same message again, or the run sent anew: all are settled alike
            held.reply = reply  # its acknowledgement follows when STARTED is stored
            return True
        if held is None and not self._roster.has_lately_held(item.key):
            return False
        await self._bus.send(reply, wire.ACK)
        return True

    async def _hold(self, lane: Lane, item: WorkItem, reply: str) -> None:
        if self._is_stopped:
            await self._bus.send(reply, wire.NAK)
            return
        now = monotonic()
        attempt = Attempt(item, lane.job, reply, since=now, touched=now)
        self._roster.add(attempt)
        self._slots.claimed += 1
        lane.waiting.append(attempt)

    async def _give_back(self, attempt: Attempt) -> None:
        self._roster.give_back(attempt)
        for reply in (attempt.reply, *attempt.copies):
            await self._bus.send(reply, wire.NAK)


def _answered(lane: Lane, message: Msg) -> None:
    status = (message.headers or {}).get("Status", "")
    if status in _EMPTY:
        lane.came_up_empty()
    else:
        lane.failed(monotonic())
        log.warning("pull_refused", job=lane.job, consumer=lane.consumer, status=status)
