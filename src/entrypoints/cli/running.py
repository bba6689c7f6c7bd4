"""Running a server in the foreground: signals, the ready file, what is told to the one who started it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Collection, Coroutine
from contextlib import closing, suppress
from pathlib import Path

import orjson
import structlog
import uvloop

from rota.entrypoints.bootstrap.embedded import embedded
from rota.entrypoints.bootstrap.server import application
from rota.entrypoints.bootstrap.tokens import development_token
from rota.entrypoints.http.server import HttpServer
from rota.entrypoints.logging import configure_logging
from rota.entrypoints.settings import ROLES, Settings, SettingsError, default_data_dir, read_settings

TENANT = "default"
SLOW_END = 3.0

log = structlog.get_logger()


def run_until_stopped(main: Coroutine[object, object, None]) -> None:
    """Runs `main` until it ends, or until SIGINT or SIGTERM cancels it: then all is closed in order."""

    async def stoppable() -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def end() -> None:
            task.cancel()
            loop.call_later(SLOW_END, _tell_who_lingers)

        for stop in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(stop, end)
        with suppress(asyncio.CancelledError):
            await main

    # Everything made by now stays: collecting garbage need not look at it again. And young garbage of a
    # batch of a thousand runs is no reason to look every 700 objects.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    uvloop.run(stoppable())


async def run_up(port: int | None, data_dir: Path | None, ready_file: Path | None) -> None:
    settings = _settings(port)
    where = (data_dir or settings.rota_data_dir or default_data_dir()).absolute()
    with closing(HttpServer(settings.host, settings.port)) as http:  # a taken port is told before anything starts
        await _run_up(settings, where, http, ready_file)


async def _run_up(settings: Settings, where: Path, http: HttpServer, ready_file: Path | None) -> None:
    async with (
        embedded(where, settings) as (servers, known),
        application(known, ROLES, http) as server,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(servers.watch())
        tasks.create_task(server.run())
        facts = {
            "url": await server.listening(),
            "token": development_token(where, TENANT),
            "tenant": TENANT,
            "natsUrl": known.nats_url,
            "postgresUrl": known.postgres_url,
            "pid": os.getpid(),
        }
        _tell(facts, where)
        if ready_file:
            await asyncio.to_thread(_write, ready_file, orjson.dumps(facts))


async def run_serve(port: int | None, roles: Collection[str]) -> None:
    settings = _settings(port)
    for name, url in (("POSTGRES_URL", settings.postgres_url), ("NATS_URL", settings.nats_url)):
        if not url:
            raise SettingsError(f"{name}: not set")
    async with application(settings, roles) as server:
        await server.run()


def _tell_who_lingers() -> None:
    """A stop that takes long is a fault of ours: this says whose, and where it waits."""
    for task in asyncio.all_tasks():
        if task.cancelling():
            log.warning("still_running", task=task.get_name(), place=_awaits(task))


def _awaits(task: asyncio.Task[object]) -> list[str]:
    """The innermost steps, as `file:line name`; asyncio's own stack tells only the outermost."""
    steps: list[str] = []
    step: object = task.get_coro()
    while step is not None:
        if frame := getattr(step, "cr_frame", None):
            code = frame.f_code
            steps.append(f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}")
        step = getattr(step, "cr_await", None)
    return steps[-6:]


def _settings(port: int | None) -> Settings:
    given = {} if port is None else {"port": port}
    settings = read_settings(**given)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def _tell(facts: dict[str, object], data_dir: Path) -> None:
    print(
        f"Rota is up at {facts['url']} (API at /api/v1, pages at /docs), data in {data_dir}.\n"
        f"Tenant {facts['tenant']}; a token with all scopes, good for a year:\n\n"
        f"export ROTA_URL={facts['url']}\nexport ROTA_TOKEN={facts['token']}\n"
        f"export NATS_URL={facts['natsUrl']}\n",
        file=sys.stdout,
        flush=True,
    )


def _write(path: Path, content: bytes) -> None:
    """All or nothing, for its owner only: it holds a token."""
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(path)
