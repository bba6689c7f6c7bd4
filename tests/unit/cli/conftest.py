"""The command line as a user has it, against the whole API on adapters in memory, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from click.testing import Result
from structlog.testing import capture_logs
from tests.unit.http.conftest import Json, Served, app, served
from typer.testing import CliRunner

from rota.entrypoints.cli.app import app as commands
from rota.entrypoints.http.server import HttpServer

__all__ = ["app", "served"]  # the API's own fixtures

WIDE = "200"


@dataclass
class Terminal:
    """Where commands are typed. Each runs beside the server, as another process would."""

    url: str
    token: str = "acme:admin"

    async def run(self, *words: str, **environment: str) -> Result:
        known = {"ROTA_URL": self.url, "ROTA_TOKEN": self.token, "COLUMNS": WIDE, "TERM": "dumb"}
        return await asyncio.to_thread(CliRunner().invoke, commands, list(words), env=known | environment)

    async def json(self, *words: str) -> Any:  # Any: JSON
        """What a command that succeeds says, read as JSON."""
        result = await self.run(*words, "--json")
        assert result.exit_code == 0, result.output
        return orjson.loads(result.stdout)

    async def failure(self, *words: str, **environment: str) -> str:
        """The one line with which a command fails."""
        result = await self.run(*words, **environment)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1
        return result.stderr.strip()


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command owns its process, and may bind all loggers for good; here it is a guest in that of the tests."""
    monkeypatch.setattr("rota.entrypoints.logging.configure_logging", lambda *_: None)


@pytest.fixture
async def terminal(served: Served) -> AsyncIterator[Terminal]:
    server = HttpServer("127.0.0.1", 0)
    serving = asyncio.create_task(server.run(served.app))
    with capture_logs():  # a runner of commands takes the whole process's output, the server's lines too
        yield Terminal(await server.listening())
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    server.close()


@pytest.fixture
async def acme(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """The API as the tenant's own programs have it."""
    async with served.client() as client:
        yield client


@pytest.fixture
async def job(acme: httpx.AsyncClient) -> Json:
    answer: Json = (await acme.post("/jobs", json={"name": "reports.daily"})).json()
    return answer
