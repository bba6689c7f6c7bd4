"""Waiting for a run."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from rota import Rota, RotaSync, RunFailedError
from rota.entrypoints.sdk.looking import Looking
from rota.entrypoints.sdk.models import Run

RUN = {"id": "r1", "cause": "API", "reason": "too late"}
GOING = Run.model_validate(RUN | {"state": "RUNNING"})


class Life:
    """Tells one state after the other, the last one for ever. None is a server that is away."""

    def __init__(self, *states: str | None) -> None:
        self._states = list(states)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if state is None:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=RUN | {"state": state})

    def client(self, patience: float = 30.0) -> Rota:
        return Rota("http://rota.test", "t", patience=patience, transport=httpx.MockTransport(self))


async def test_it_ends_with_the_final_state() -> None:
    async with Life("QUEUED", "RUNNING", "RETRYING", "SUCCEEDED").client() as rota:
        run = await rota.wait_for_run("r1", must_succeed=True)

    assert run.has_succeeded


async def test_a_run_that_has_not_succeeded_is_an_answer_or_an_error() -> None:
    async with Life("CANCELLED").client() as rota:
        run = await rota.wait_for_run("r1")
        with pytest.raises(RunFailedError, match="run r1 is CANCELLED: too late") as failed:
            await rota.wait_for_run("r1", must_succeed=True)

    assert run.state == failed.value.run.state == "CANCELLED"


async def test_it_is_bounded() -> None:
    async with Life("RUNNING").client() as rota:
        with pytest.raises(TimeoutError, match="run r1 is RUNNING after 0.05 s"):
            await rota.wait_for_run("r1", timeout=0.05)


async def test_a_server_that_is_away_is_waited_for_however_impatient_the_client_is() -> None:
    async with Life("RUNNING", None, "SUCCEEDED").client(patience=0) as rota:
        with capture_logs():
            run = await rota.wait_for_run("r1")

    assert run.has_succeeded


def test_the_blocking_client_waits_too() -> None:
    life = Life("RUNNING", "SUCCEEDED")

    with RotaSync("http://rota.test", "t", transport=httpx.MockTransport(life)) as rota:
        assert rota.wait_for_run("r1").has_succeeded


def test_looks_become_rarer_and_the_last_is_at_the_end() -> None:
    now = 0.0
    looking = Looking(10.0, lambda: now)
    pauses = []

    while looking.left:
        pauses.append(looking.pause(GOING))
        now += pauses[-1]

    assert pauses[:7] == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0])
    assert sum(pauses) == pytest.approx(10.0)
    with pytest.raises(TimeoutError):
        looking.pause(GOING)
