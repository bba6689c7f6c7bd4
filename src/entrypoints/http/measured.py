"""How long calls take, by route."""

from __future__ import annotations

from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rota.entrypoints.metrics.exposition import Metrics

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
OTHER: Final = "other"
NO_ROUTE: Final = "unmatched"
"""What callers make up is not told: each new text would be a time series of its own."""


class Measured:
    """Plain ASGI. A call has taken as long as until its answer began: a stream may last for days."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics: Metrics = scope["app"].state.services.metrics
        began = perf_counter()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in METHODS else OTHER
                metrics.calls.note(method, _route(scope), message["status"], perf_counter() - began)
            await send(message)

        await self._app(scope, receive, note)


def _route(scope: Scope) -> str:
    """`/runs/{run_id}`, wherever the API is mounted."""
    path: str = getattr(scope.get("route"), "path", NO_ROUTE)
    return path.replace(":uuid}", "}")
