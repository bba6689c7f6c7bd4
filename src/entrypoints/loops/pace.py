"""How a loop goes on: after a fault it waits, longer each time, and never gives up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from rota.application.cancellation import pass_on_cancellation
from rota.domain.errors import ConcurrentChangeError, UnavailableError

log = structlog.get_logger()

SHORTEST, LONGEST = 0.1, 2.0


async def forever(name: str, step: Callable[[], Awaitable[None]]) -> None:
    """Runs `step` again and again. A server that is away is waited for; any other fault is logged as a bug."""
    pause = SHORTEST
    while True:
        pass_on_cancellation()
        try:
            await step()
            pause = SHORTEST
        except ConcurrentChangeError:
            log.info("race_lost", loop=name)
        except UnavailableError as error:
            log.warning("server_away", loop=name, error=str(error))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST)
        except Exception:
            log.exception("loop_failed", loop=name)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST)


async def every(seconds: float, name: str, step: Callable[[], Awaitable[object]]) -> None:
    """As `forever`, with a rest after each step."""

    async def once() -> None:
        await step()
        await asyncio.sleep(seconds)

    await forever(name, once)
