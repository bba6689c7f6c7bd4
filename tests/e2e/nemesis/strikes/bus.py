"""nats-server dies or hangs, its store is wiped, a stream or a consumer is deleted."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic

import nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError
from tests.e2e.checker.streams import EVENTS, REPORTS, WORK
from tests.e2e.nemesis.field import Field, NothingToStrikeError, drawn
from tests.e2e.nemesis.links import NATS
from tests.e2e.nemesis.strike import Kind, Strike

LONG_ENOUGH = 5.0
"""Seconds of absence from which on it is worth a look what the others do meanwhile."""
BUSY = 0.5
"""Of a processor: who uses more while the bus is away spins."""
BUSY_LANE = 20
"""Messages that a busy lane has seen at least."""
RESTORED = 10.0
"""Seconds within which a deleted stream or consumer must be there again, if nothing else is struck meanwhile."""
AT_LAST = 3 * RESTORED
"""And within which it must be, whatever else is."""


async def kill_nats(field: Field, strike: Strike) -> None:
    await _down(field, strike, signal.SIGKILL)


async def wipe_nats(field: Field, strike: Strike) -> None:
    wipe = partial(asyncio.to_thread, shutil.rmtree, field.cluster.nats_store)
    await _down(field, strike, signal.SIGTERM, wipe)


async def stop_nats(field: Field, strike: Strike) -> None:
    with field.taking(NATS):
        pid = field.cluster.nats.pid
        if pid is None:
            raise NothingToStrikeError
        with field.noted(strike.kind, NATS):
            os.kill(pid, signal.SIGSTOP)
            try:
                await _watch_for_spinning(field, strike.lasts)
            finally:
                os.kill(pid, signal.SIGCONT)


async def delete(stream: str, field: Field, strike: Strike) -> None:
    with field.taking(NATS):
        await _delete(field, strike, stream, None)


async def delete_lane(field: Field, strike: Strike) -> None:
    with field.taking(NATS):
        bus, close = await _jetstream(field)
        try:
            lane = drawn([each.name for each in await bus.consumers_info(WORK) if _is_busy(each)], strike)
        except (NatsError, NotFoundError) as error:
            raise NothingToStrikeError from error
        finally:
            await close()
        await _delete(field, strike, WORK, lane)


def _is_busy(consumer: ConsumerInfo) -> bool:
    """Where no work comes, none is missed: such a consumer is restored with the next."""
    return consumer.delivered is not None and (consumer.delivered.consumer_seq or 0) >= BUSY_LANE


async def _delete(field: Field, strike: Strike, stream: str, lane: str | None) -> None:
    bus, close = await _jetstream(field)
    try:
        with field.noted(strike.kind, f"{stream}/{lane}" if lane else stream):
            await (bus.delete_consumer(stream, lane) if lane else bus.delete_stream(stream))
        deleted = undisturbed = monotonic()
        while not await _exists(bus, stream, lane):
            if field.taken_beside(NATS):
                undisturbed = monotonic()
            if monotonic() - undisturbed > RESTORED or monotonic() - deleted > AT_LAST:
                field.wrong.append(
                    f"{lane or stream} was not restored {monotonic() - deleted:.0f} s after its deletion"
                )
                return
            await asyncio.sleep(0.1)
    except (NatsError, OSError, TimeoutError) as error:
        raise NothingToStrikeError from error
    finally:
        await close()


async def _exists(bus: JetStreamContext, stream: str, lane: str | None) -> bool:
    with suppress(NotFoundError, NatsError):
        await (bus.consumer_info(stream, lane) if lane else bus.stream_info(stream))
        return True
    return False


async def _jetstream(field: Field) -> tuple[JetStreamContext, Callable[[], Awaitable[None]]]:
    try:
        client = await nats.connect(field.cluster.nats.url, connect_timeout=2, max_reconnect_attempts=1)
    except (NatsError, OSError, TimeoutError) as error:
        raise NothingToStrikeError from error
    return client.jetstream(timeout=2), client.close


async def _down(
    field: Field, strike: Strike, ending: signal.Signals, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Ends it by that signal, waits, and starts it again."""
    server = field.cluster.nats
    with field.taking(NATS), field.noted(strike.kind, NATS):
        if server.pid is None:
            return
        if strike.draw < 0.5:
            field.cluster.links.shut(NATS)
        os.kill(server.pid, ending)
        while server.is_running:
            await asyncio.sleep(0.02)
        if meanwhile:
            await meanwhile()
        await _watch_for_spinning(field, strike.lasts)
        await server.start()
        await field.cluster.links.open(NATS)


async def _watch_for_spinning(field: Field, seconds: float) -> None:
    """Without the bus there is little to do: whoever is busy all the same runs in circles."""
    lives = {process: (process.lives, process.busy_seconds) for process in field.cluster.processes}
    began = monotonic()
    await asyncio.sleep(seconds)
    passed = monotonic() - began
    if passed < LONG_ENOUGH:
        return
    for process, (life, busy) in lives.items():
        share = (process.busy_seconds - busy) / passed
        if process.lives == life and process.is_running and share > BUSY:
            field.wrong.append(f"{process.name} used {share:.0%} of a processor for {passed:.0f} s without the bus")


KINDS: Mapping[str, Kind] = {
    "kill_nats": Kind(kill_nats, 3, (0.2, 5), (30, 150), fault="8"),
    "stop_nats": Kind(stop_nats, 2, (1, 8), fault="10"),
    "wipe_nats": Kind(wipe_nats, 2, (0.2, 3), fault="9"),
    "delete_work": Kind(partial(delete, WORK), 1, fault="9"),
    "delete_reports": Kind(partial(delete, REPORTS), 1, fault="9"),
    "delete_events": Kind(partial(delete, EVENTS), 1, fault="9"),
    "delete_lane": Kind(delete_lane, 2, fault="9"),
}
