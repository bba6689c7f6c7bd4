"""What the bus may do to messages: say them twice, again much later, in another order; and what nobody can read."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import asyncpg
from tests.e2e.nemesis.away import AWAY
from tests.e2e.nemesis.cluster import TENANT
from tests.e2e.nemesis.field import Field, NothingToStrikeError
from tests.e2e.nemesis.links import NATS
from tests.e2e.nemesis.rubbish import Rubbish, unreadable
from tests.e2e.nemesis.strike import Kind, Strike
from tests.e2e.nemesis.tap import Said, Tap

REPLAYED_REPORTS, REPLAYED_WORK = 200, 40
REPORT_SUBJECT = f"scheduler.report.{TENANT}"
CONFIRMED_WITHIN = 30.0
"""Seconds in which what cannot be read must be kept, however ill the rest is; so long nobody wipes the bus."""

BUSY = (b'"job":"chaos.quick"', b'"job":"chaos.slow"', b'"job":"chaos.thread"')

Heard: TypeAlias = Callable[[Tap], Sequence[Said]]


async def replay(heard: Heard, most: int, field: Field, strike: Strike) -> None:
    """Some of what was ever said, in any order."""
    chance = random.Random(strike.draw)
    again = field.tap.sample(heard(field.tap), most, chance)
    if not again:
        raise NothingToStrikeError
    with field.noted(strike.kind, f"{len(again)} messages", at_edge=True):
        for said in again:
            await field.tap.say_again(said)


async def echo(what: str, field: Field, strike: Strike) -> None:
    """Each message twice, as long as it lasts."""
    with field.taking("echo"), field.noted(strike.kind, what, at_edge=True):
        field.tap.echo = lambda said: said.subject.startswith(f"scheduler.{what}.")
        await asyncio.sleep(strike.lasts)
        field.tap.echo = lambda _: False


async def malformed_reports(field: Field, strike: Strike) -> None:
    """One of every sort, all at once; waits until they are kept, so that no wipe takes them before."""
    with field.taking(NATS), field.noted(strike.kind, REPORT_SUBJECT, at_edge=True):
        said = [each for each in unreadable(f"{strike.draw:.9f}") if await _store(field, each)]
        for each in said:
            field.malformed[each.mark] = each.rows
        await _until_kept(field, said)


async def _store(field: Field, rubbish: Rubbish) -> bool:
    """Whether the bus has it: what it did not acknowledge is not judged."""
    return await field.tap.store(REPORT_SUBJECT, rubbish.body, rubbish.headers)


async def _until_kept(field: Field, said: Sequence[Rubbish]) -> None:
    until = asyncio.get_running_loop().time() + CONFIRMED_WITHIN
    while asyncio.get_running_loop().time() < until:
        if await _are_kept(field, said):
            return
        await asyncio.sleep(0.2)


async def _are_kept(field: Field, said: Sequence[Rubbish]) -> bool:
    try:
        connection = await asyncpg.connect(field.cluster.postgres.url, timeout=2, command_timeout=2, ssl=False)
    except AWAY:
        return False
    try:
        bodies = await connection.fetch("SELECT body FROM rejected_reports WHERE body IS NOT NULL")
    except AWAY:
        return False
    finally:
        connection.terminate()
    kept = "\n".join(row["body"] for row in bodies)
    return all(each.mark in kept for each in said)


def _busy_work(tap: Tap) -> Sequence[Said]:
    """Of lanes that have work all the time: the others' consumers may be gone, and come back only with new work."""
    return [said for said in tap.work if any(job in said.body for job in BUSY)]


def _kinds() -> Iterator[tuple[str, Kind]]:
    yield "replay_reports", Kind(partial(replay, lambda tap: tap.reports, REPLAYED_REPORTS), 3, fault="19")
    yield "replay_work", Kind(partial(replay, _busy_work, REPLAYED_WORK), 2, fault="19")
    yield "echo_reports", Kind(partial(echo, "report"), 2, (2, 6), fault="19")
    yield "echo_work", Kind(partial(echo, "work"), 1, (2, 6), fault="19")
    yield "malformed_reports", Kind(malformed_reports, 2, fault="20")


KINDS: Mapping[str, Kind] = dict(_kinds())
