"""The HTTP server of one process: uvicorn, without its signals and its logs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from rota.entrypoints.settings import SettingsError

GRACE = 3
BACKLOG = 2048


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs the process."""
        yield


class HttpServer:
    """Bound at once, so that a taken port is told before anything else starts. Raises SettingsError."""

    def __init__(self, host: str, port: int, setting: str = "PORT") -> None:
        self._socket = _bind(host, port, setting)
        self._host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
        self._listens = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._socket.getsockname()[1]}"

    async def listening(self) -> str:
        """Waits until it answers, and tells where."""
        await self._listens.wait()
        return self.url

    async def run(self, app: FastAPI) -> None:
        """Serves until cancelled; calls under way then have three seconds to end."""
        server = _Quiet(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=GRACE,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.005)
            self._listens.set()
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving

    def close(self) -> None:
        self._socket.close()


def _bind(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # TCP by name: where only its kind is said, asyncio leaves Nagle's algorithm on, which is 40 ms a call.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SettingsError(f"{setting}: cannot listen on {host}:{port}: {error.strerror}") from error
    bound.listen(BACKLOG)
    bound.setblocking(False)
    return bound
