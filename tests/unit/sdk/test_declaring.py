"""Declaring a worker."""

import pytest

from rota import JobContext, Worker


def test_a_handler_stays_what_it_was() -> None:
    worker = Worker()

    @worker.job("greet")
    async def greet(ctx: JobContext) -> str:
        return "hello"

    assert greet.__name__ == "greet"


def test_a_job_is_declared_once() -> None:
    worker = Worker()
    worker.job("greet")(lambda ctx: None)

    with pytest.raises(ValueError, match="'greet' is declared twice"):
        worker.job("greet")(lambda ctx: None)


async def test_a_worker_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROTA_TOKEN", raising=False)
    worker = Worker("http://127.0.0.1:1")
    worker.job("greet")(lambda ctx: None)

    with pytest.raises(ValueError, match="ROTA_TOKEN"):
        await worker.run(handle_signals=False)


async def test_a_worker_needs_a_job_of_its_queues() -> None:
    worker = Worker("http://127.0.0.1:1", "token", queues=["bi"])
    worker.job("greet", queue="mail")(lambda ctx: None)

    with pytest.raises(ValueError, match="no job"):
        await worker.run(handle_signals=False)


async def test_a_worker_drained_before_it_runs_ends_at_once() -> None:
    worker = Worker("http://127.0.0.1:1", "token")
    worker.job("greet")(lambda ctx: None)

    worker.drain()

    await worker.run(handle_signals=False)
