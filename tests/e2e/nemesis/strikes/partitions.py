"""Single links that break, fall silent, flap, drag, or take the deed and keep back the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias

from tests.e2e.nemesis.field import Field, NothingToStrikeError, drawn
from tests.e2e.nemesis.links import LEASING, NATS, POSTGRES
from tests.e2e.nemesis.process import Process
from tests.e2e.nemesis.strike import Kind, Strike
from tests.e2e.proxy import Betrayal, Link, Way, Weather

FLAP = 0.5
PATIENCE = 3.0
"""Seconds in which somebody must ask the question that is to be betrayed."""

Choose: TypeAlias = Callable[[Field, Strike], Awaitable[Link]]
Break: TypeAlias = Callable[[Link, Strike], Awaitable[None]]


# Which link


async def leader_to_postgres(field: Field, strike: Strike) -> Link:
    return field.cluster.links.between((await field.leader(strike))[0].name, POSTGRES)


async def leader_to_nats(field: Field, strike: Strike) -> Link:
    return field.cluster.links.between((await field.leader(strike))[0].name, NATS)


async def server_to_postgres(field: Field, strike: Strike) -> Link:
    return field.cluster.links.between(field.server(strike).name, POSTGRES)


async def server_to_nats(field: Field, strike: Strike) -> Link:
    return field.cluster.links.between(field.server(strike).name, NATS)


async def worker_to_nats(field: Field, strike: Strike) -> Link:
    return drawn(field.cluster.links.of_workers(), strike)


async def client_to_api(field: Field, strike: Strike) -> Link:
    return field.cluster.links.between("client", field.server(strike).name)


# What happens to it


async def cut(link: Link, strike: Strike) -> None:
    link.cut()
    await asyncio.sleep(strike.lasts)


async def mute(link: Link, strike: Strike) -> None:
    """Half open, in both directions or in one. What was held back arrives, or is lost with the connection."""
    ways = ((), (Way.UP,), (Way.DOWN,))[int(strike.draw * 29) % 3]
    link.mute(*ways)
    await asyncio.sleep(strike.lasts)
    if int(strike.draw * 31) % 2:
        link.reset()


async def flap(link: Link, strike: Strike) -> None:
    await link.flap(FLAP, strike.lasts)


async def drag(link: Link, strike: Strike) -> None:
    """Late, unevenly, and little at a time."""
    link.change(Weather(delay=0.05, jitter=0.3, rate=200_000))
    await asyncio.sleep(strike.lasts)


async def trouble(choose: Choose, harm: Break, at_edge: bool, field: Field, strike: Strike) -> None:
    link = await choose(field, strike)
    with field.holding([link]), field.noted(strike.kind, link.name, at_edge=at_edge):
        await harm(link, strike)


async def hang_tick(field: Field, strike: Strike) -> None:
    """What the leader has asked the database is never answered; its lease goes on being renewed."""
    link = await leader_to_postgres(field, strike)
    with field.taking(link):
        if not link.open_connections:
            raise NothingToStrikeError
        with field.noted(strike.kind, link.name):
            link.silence(unless=LEASING)


# Done, but reported failed


async def betray_commit(field: Field, strike: Strike) -> None:
    link = await server_to_postgres(field, strike)
    async with _betrayed(field, link, b"COMMIT;", b"COMMIT"):
        with field.noted(strike.kind, link.name):
            pass


async def betray_publish(field: Field, strike: Strike) -> None:
    link = await server_to_nats(field, strike)
    async with _betrayed(field, link, b"PUB scheduler.", b'"stream":"ROTA_'):
        with field.noted(strike.kind, link.name):
            pass


async def betray_report(field: Field, strike: Strike) -> None:
    link = await worker_to_nats(field, strike)
    async with _betrayed(field, link, b'"SUCCEEDED"', b'"stream":"ROTA_REPORTS"'):
        with field.noted(strike.kind, link.name, at_edge=True):
            pass


async def kill_reporter(field: Field, strike: Strike) -> None:
    """A worker that dies when its result is stored, before it knows."""
    worker = field.worker(strike)
    link = field.cluster.links.between(worker.name, NATS)
    async with _betrayed(field, link, b'"SUCCEEDED"', b'"stream":"ROTA_REPORTS"'):
        await _kill(field, strike, worker)


async def _kill(field: Field, strike: Strike, worker: Process) -> None:
    with field.in_hand(worker), field.noted(strike.kind, worker.name, at_edge=True):
        worker.kill()
        await worker.has_ended(5.0)
        worker.start()


@asynccontextmanager
async def _betrayed(field: Field, link: Link, question: bytes, answer: bytes) -> AsyncIterator[Betrayal]:
    """Raises NothingToStrikeError where the question is not asked, or not answered."""
    with field.holding([link]):
        betrayal = link.betray(question, answer)
        try:
            await asyncio.wait_for(betrayal.sprung.wait(), PATIENCE)
        except TimeoutError:
            raise NothingToStrikeError from None
        yield betrayal


_LINKS: Mapping[str, tuple[Choose, bool]] = {
    "leader>postgres": (leader_to_postgres, False),
    "leader>nats": (leader_to_nats, False),
    "worker>nats": (worker_to_nats, True),
    "client>api": (client_to_api, True),
}
_HARMS: Mapping[str, tuple[Break, tuple[float, float]]] = {
    "cut": (cut, (1, 5)),
    "mute": (mute, (1, 8)),
    "flap": (flap, (2, 6)),
    "drag": (drag, (2, 6)),
}

KINDS: Mapping[str, Kind] = {
    f"{harm} {link}": Kind(partial(trouble, choose, act, at_edge), 1, lasts, fault="10, 16")
    for link, (choose, at_edge) in _LINKS.items()
    for harm, (act, lasts) in _HARMS.items()
} | {
    "hang_tick": Kind(hang_tick, 2, fault="5"),
    "betray_commit": Kind(betray_commit, 4, fault="15"),
    "betray_publish": Kind(betray_publish, 3, fault="15"),
    "betray_report": Kind(betray_report, 3, fault="15"),
    "kill_reporter": Kind(kill_reporter, 2, fault="6"),
}
