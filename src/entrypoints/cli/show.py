"""What `rota demo` shows: the real processes, driven over HTTP as any user would drive them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson
from rich.console import Console
from rich.table import Table

from rota.entrypoints.cli.demo_worker import LONG, QUICK
from rota.entrypoints.cli.tailing import bus, follow, subjects

START_WITHIN = 30.0
TICKING = 8.0
HEAL_WITHIN = 25.0
WORKERS = ("ada", "grace")
FINAL = {"SUCCEEDED", "DEAD", "CANCELLED", "SKIPPED"}
STYLES = {"succeeded": "green", "failed": "red", "dead": "red", "missed": "red", "offline": "yellow"}

Json = dict[str, Any]  # Any: JSON


class ShowError(Exception):
    """One line."""


@dataclass(slots=True)
class Show:
    """The service as its user sees it, and the names of what was made."""

    http: httpx.AsyncClient
    console: Console
    schedules: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    killed: str = ""

    def say(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self.began:5.1f} s[/]  {text}")

    async def post(self, path: str, body: Json | None = None) -> Json:
        return self._answer(await self.http.post(path, json=body or {}))

    async def get(self, path: str, **params: Any) -> Json:  # Any: query values
        return self._answer(await self.http.get(path, params=params))

    async def all_runs(self) -> list[Json]:
        runs: list[Json] = []
        cursor: str | None = None
        while True:
            page = await self.get("/runs", limit=200, **({"cursor": cursor} if cursor else {}))
            runs += page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return runs

    def _answer(self, response: httpx.Response) -> Json:
        if response.is_error:
            raise ShowError(f"{response.request.method} {response.request.url.path}: {response.text}")
        answer: Json = response.json()
        return answer


async def run_show() -> bool:
    """True if every due time was exactly one run."""
    console = Console(highlight=False)
    with TemporaryDirectory(prefix="rota-demo-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # as root, Postgres runs as somebody else and must pass through
        async with (
            server(Path(directory)) as up,
            httpx.AsyncClient(
                base_url=f"{up['url']}/api/v1", headers={"Authorization": f"Bearer {up['token']}"}, timeout=10
            ) as http,
        ):
            show = Show(http, console)
            show.say(f"The server is up at {up['url']}, its database and its bus with it.")
            async with bus(up["natsUrl"]) as client:
                listening = asyncio.create_task(_narrate(show, follow(client, subjects(up["tenant"], "*"))))
                try:
                    return await _play(show, up)
                finally:
                    listening.cancel()


async def _play(show: Show, up: Json) -> bool:
    async with worker(up, WORKERS[0]) as first, worker(up, WORKERS[1]) as second:
        await _eventually(lambda: _both_online(show), START_WITHIN, "the workers did not register")
        await _store_schedules(show)
        await asyncio.sleep(TICKING)
        await _kill_one(show, {WORKERS[0]: first, WORKERS[1]: second})
        await asyncio.sleep(TICKING)
        for schedule_id in show.schedules:
            await show.post(f"/schedules/{schedule_id}/disable", {"reason": "the demo ends"})
        show.say("The schedules rest. What the dead worker left behind is carried out by the other …")
        await _eventually(lambda: _is_quiet(show), HEAL_WITHIN, "not all runs have ended")
        return await _judge(show)


async def _both_online(show: Show) -> bool:
    workers = (await show.get("/workers"))["items"]
    return {each["name"] for each in workers if each["state"] == "ONLINE"} >= set(WORKERS)


async def _store_schedules(show: Show) -> None:
    """One a second, one by cron, one once; and long work, for the worker that will die."""
    once = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    for name, job, trigger in (
        ("each second", QUICK, {"type": "FIXED_RATE", "everySec": 1}),
        ("cron */2", QUICK, {"type": "CRON", "cron": "*/2 * * * * *"}),
        ("one shot", QUICK, {"type": "ONE_SHOT", "startAt": once}),
        ("long work", LONG, {"type": "CRON", "cron": "* * * * * *"}),
    ):
        target = {"kind": "JOB", "job": job, "payload": {"from": name}}
        made = await show.post(
            "/schedules", {"name": name, "tz": "Europe/Berlin", "trigger": trigger, "target": target}
        )
        show.schedules[made["id"]] = name
    show.say("Four schedules are stored: two jobs, three kinds of trigger.")


async def _kill_one(show: Show, workers: dict[str, asyncio.subprocess.Process]) -> None:
    """The one that carries more long work at this moment."""
    running = (await show.get("/runs", state="RUNNING", job=LONG, limit=200))["items"]
    owner = Counter(run["workerId"] for run in running).most_common(1)
    if not owner:
        raise ShowError("no long work is running, so killing a worker would show nothing")
    victim = await show.get(f"/workers/{owner[0][0]}")
    workers[victim["name"]].kill()
    show.killed = victim["id"]
    show.say(f"[bold red]kill -9[/] of worker {victim['name']}, while it carries {owner[0][1]} runs.")


async def _is_quiet(show: Show) -> bool:
    return all(run["state"] in FINAL for run in await show.all_runs())


async def _judge(show: Show) -> bool:
    """Compares what was due with what ran, schedule by schedule."""
    runs = await show.all_runs()
    table = Table(title="What was due, and what became of it")
    for column in ("schedule", "due", "runs", "done", "double", "missed", "late p50", "p99", "max"):
        table.add_column(column, justify="left" if column == "schedule" else "right")
    wrong = 0
    for schedule_id, name in show.schedules.items():
        due = await _due_times(show, schedule_id)
        own = [run for run in runs if run["scheduleId"] == schedule_id]
        times = Counter(run["scheduledFor"] for run in own)
        doubles = sum(count - 1 for count in times.values())
        missed = len(due - times.keys()) + len(times.keys() - due)
        succeeded = sum(run["state"] == "SUCCEEDED" for run in own)
        wrong += doubles + missed + len(own) - succeeded
        late = sorted(_lateness_ms(run) for run in own) or [0.0]
        table.add_row(
            name, *map(str, (len(due), len(own), succeeded, doubles, missed)),
            *(f"{value:.0f} ms" for value in (late[len(late) // 2], late[int(len(late) * 0.99)], late[-1])),
        )  # fmt: skip
    again = [run for run in runs if run["attempt"] > 1]
    show.console.print(table)
    show.say(f"{len(again)} runs of the dead worker were carried out by the other, as attempt 2.")
    show.say("[bold green]Right.[/]" if not wrong else f"[bold red]Wrong: {wrong} due times.[/]")
    return not wrong and bool(again)


async def _due_times(show: Show, schedule_id: str) -> set[str]:
    """Asked of the preview, from creation to the moment of disabling."""
    schedule = await show.get(f"/schedules/{schedule_id}")
    previewed = await show.post(
        "/schedules/preview",
        {
            "trigger": {**schedule["trigger"], **_anchor(schedule)},
            "tz": schedule["tz"],
            "from": schedule["createdAt"],
            "endAt": schedule["updatedAt"],
            "count": 1000,
        },
    )
    return {fire["scheduledFor"] for fire in previewed["fires"]}


def _anchor(schedule: Json) -> Json:
    return {"anchorAt": schedule["createdAt"]} if schedule["trigger"]["type"] == "FIXED_RATE" else {}


def _lateness_ms(run: Json) -> float:
    fired, due = (datetime.fromisoformat(run[name]) for name in ("firedAt", "dueAt"))
    return (fired - due) / timedelta(milliseconds=1)


async def _narrate(show: Show, events: AsyncIterator[Json]) -> None:
    async for event in events:
        kind = event["type"].removeprefix("scheduler.")
        aggregate, _, what = kind.partition(".")
        data = event["data"]
        if kind == "worker.heartbeat" or (aggregate == "run" and what in ("created", "queued") and data["attempt"] < 2):
            continue
        style = STYLES.get(what, "cyan")
        show.say(f"[{style}]{kind:<16}[/] {_subject(show, aggregate, data)}")


def _subject(show: Show, aggregate: str, data: Json) -> str:
    if aggregate != "run" or "runId" not in data:
        return str(data.get("name") or "")
    name = show.schedules.get(data["scheduleId"], data["job"])
    due = datetime.fromisoformat(data["scheduledFor"]).strftime("%H:%M:%S.%f")[:-3]
    attempt = f", attempt {data['attempt']}" if data["attempt"] > 1 else ""
    return f"{name}, due {due}{attempt}"


async def _eventually(look: Callable[[], Awaitable[bool]], within: float, otherwise: str) -> None:
    deadline = time.monotonic() + within
    while not await look():
        if time.monotonic() > deadline:
            raise ShowError(otherwise)
        await asyncio.sleep(0.25)


@asynccontextmanager
async def server(directory: Path) -> AsyncIterator[Json]:
    """`rota up` on free ports; what its ready file says."""
    ready = directory / "ready.json"
    command = ("up", "--port", "0", "--data-dir", str(directory / "data"), "--ready-file", str(ready))
    async with _rota(*command, log=directory / "server.log") as process:
        deadline = time.monotonic() + START_WITHIN
        while not ready.exists():
            if process.returncode is not None or time.monotonic() > deadline:
                tail = (directory / "server.log").read_text()[-2000:]
                raise ShowError(f"the server did not start:\n{tail}")
            await asyncio.sleep(0.05)
        yield orjson.loads(ready.read_bytes())


@asynccontextmanager
async def worker(up: Json, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    env = {"ROTA_URL": up["url"], "ROTA_TOKEN": up["token"], "ROTA_DEMO_WORKER": name}
    async with _rota("worker", "rota.entrypoints.cli.demo_worker:worker", env=env) as process:
        yield process


@asynccontextmanager
async def _rota(
    *arguments: str, env: dict[str, str] | None = None, log: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command itself, as a process of its own; ended in order."""
    sink = await asyncio.to_thread(log.open, "wb") if log else None
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rota.entrypoints.cli", *arguments,
        env={**os.environ, **(env or {})}, stdout=sink or asyncio.subprocess.DEVNULL,
        stderr=sink or asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
        if sink:
            sink.close()
