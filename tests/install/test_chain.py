"""docker-compose.yml's chain of services, started here as processes, in the order that it asks for.

The wheel's environments stand for the image, embedded Postgres for the image of Postgres, and the nats-server that
comes with `rota[server]` for the image of NATS, with the configuration file that it would be given there. It shows that
commands, settings, the token's way to the worker, and the bus's permissions fit together. It does not show that the
images build, nor what only an engine does: names in a network, owners of volumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e.test_up import await_true
from tests.install.chain import Chain, a_chain
from tests.install.environments import Environment


@pytest.fixture
def chain(place: Path, database_url: str, server: Environment, plain: Environment) -> Iterator[Chain]:
    directory = place / "chain"
    directory.mkdir()
    with a_chain(directory, database_url, server, plain) as chain:
        yield chain


def test_two_servers_and_a_worker_that_gets_its_token(chain: Chain) -> None:
    chain.start_nats()
    await_true(lambda: _answers(chain, "watch", "/healthz"))
    chain.run("migrate")
    chain.start("server-1")
    chain.start("server-2")
    chain.run("token")
    await_true(lambda: _answers(chain, "server-1", "/ready") and _answers(chain, "server-2", "/ready"))
    assert chain.is_healthy("server-1")
    chain.start("worker")
    token = chain.execute("server-1", "token", "--tenant", "default", "--scope", "scheduler:admin")
    schedule = {
        "name": "greet",
        "tz": "UTC",
        "trigger": {"type": "CRON", "cron": "* * * * * *"},
        "target": {"kind": "JOB", "job": "hello", "payload": {"name": "compose"}},
    }

    with _api(chain, "server-1", token) as first, _api(chain, "server-2", token) as second:
        await_true(lambda: second.get("/jobs", params={"name": "hello"}).json()["items"])
        assert first.post("/schedules", json=schedule).status_code == 201
        await_true(lambda: second.get("/runs", params={"state": "SUCCEEDED"}).json()["items"])
        run = second.get("/runs", params={"state": "SUCCEEDED"}).json()["items"][0]
        assert first.get(f"/runs/{run['id']}").json()["result"] == "hello, compose"

    assert (chain.place / "token" / "worker").stat().st_mode & 0o777 == 0o600
    assert [chain.stop(name) for name in ("worker", "server-1", "server-2")] == [0, 0, 0]
    assert not chain.is_healthy("server-1")


def _api(chain: Chain, server: str, token: str) -> httpx.Client:
    url = f"http://127.0.0.1:{chain.ports[server]}/api/v1"
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})


def _answers(chain: Chain, port: str, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{chain.ports[port]}{path}").is_success
    except httpx.TransportError:
        return False
