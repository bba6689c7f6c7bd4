"""The outermost layer: where the API is mounted, which call belongs to what, what was answered, and what went wrong."""

from __future__ import annotations

import secrets
from time import perf_counter
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rota.entrypoints.http.problems import Problem

log = structlog.get_logger()

PREFIX: Final = "/api/v1"
HEADER: Final = b"x-correlation-id"
_LONGEST: Final = 128


class Edge:
    """Plain ASGI: a wrapped request object would cost every call, and buffer what need not be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _mount(scope)
        given = _given_correlation_id(scope)
        correlation_id = given or secrets.token_hex(16)
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id, tenant=None):
            await self._answer(scope, receive, send, given)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, given: str | None) -> None:
        status = 0
        started = perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if given:
                    message["headers"] = [*message.get("headers", ()), (HEADER, given.encode())]
            await send(message)

        try:
            await self._app(scope, receive, note)
        except ClientDisconnect:
            log.info("client_gone", method=scope["method"], path=scope["path"])
        except Exception:
            log.exception("call_failed", method=scope["method"], path=scope["path"])
            if not status:
                problem = Problem(scope, 500, "internal", "something went wrong on our side; it has been noted")
                await problem(scope, receive, note)
        finally:
            took = round((perf_counter() - started) * 1000, 2)
            log.info("call", method=scope["method"], path=scope["path"], status=status, ms=took)


def _mount(scope: Scope) -> None:
    """The same app answers below the prefix, as if it were mounted there."""
    root: str = scope.get("root_path", "")
    if scope["path"].removeprefix(root).startswith(PREFIX + "/"):
        scope["root_path"] = root + PREFIX


def _given_correlation_id(scope: Scope) -> str | None:
    """One that is not fit to be kept and shown counts as none."""
    for name, value in scope["headers"]:
        if name == HEADER:
            text = str(value, "latin-1")
            return text if text.isascii() and text.isprintable() and 0 < len(text) <= _LONGEST else None
    return None
