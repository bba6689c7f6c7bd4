"""A call with an idempotency key is carried out once, and answered alike each time (docs/decisions/0018)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Request
from starlette.responses import Response

from rota.application.answering import answering
from rota.application.command import Message
from rota.application.ports.keyed_calls import CallKey, Claim, KeptAnswer
from rota.domain.errors import ConcurrentChangeError, KeyInFlightError, RotaError, UnavailableError
from rota.entrypoints.http.caller import Wired
from rota.entrypoints.http.problems import refusal_of
from rota.entrypoints.http.writers import asked_by, key_of

Result = TypeVar("Result")

REPLAYED: Final = "Idempotent-Replayed"

_PASSING: Final = (ConcurrentChangeError, KeyInFlightError)
"""Refusals that say: try again. To keep them would be to say it for a day."""


class Once:
    """A dependency of every POST. A call without a key goes straight through it."""

    def __init__(self, request: Request, services: Wired) -> None:
        self._request = request
        self._services = services
        self._key = key_of(request)
        self._claim: Claim | None = None
        self._shown: Response | None = None

    async def __call__(self, message: Message[Result], show: Callable[[Result], Response]) -> Response:
        """Handles the message, and shows what came of it; with a key what is shown is stored with what was done."""
        return await self.whole(lambda: self.handled(message, show))

    async def whole(self, work: Callable[[], Awaitable[Response]]) -> Response:
        """For calls that look something up first: `work` is not done again where there is an answer.

        Raises KeyReusedError, KeyInFlightError.
        """
        if self._key is None:
            return await work()
        found = await self._services.keyed_calls.claim(
            self._called(self._key), asked_by(self._request), self._services.clock.now()
        )
        if isinstance(found, KeptAnswer):
            return _again(found)
        self._claim = found
        self._services.at("call.claimed")
        return await self._answered(found, work)

    async def handled(self, message: Message[Result], show: Callable[[Result], Response]) -> Response:
        """Part of `whole`: the message that changes something."""
        if self._claim is None:
            return show(await self._services.bus.handle(message))

        def kept(result: Result) -> KeptAnswer:
            self._shown = show(result)
            return _kept(self._shown)

        with answering(self._claim, kept):
            result = await self._services.bus.handle(message)
        return self._shown or show(result)

    async def _answered(self, claim: Claim, work: Callable[[], Awaitable[Response]]) -> Response:
        try:
            answer = await self._worked(work)
        except Exception:
            with suppress(UnavailableError):  # a claim that cannot be given up ends by itself
                await self._services.keyed_calls.give_up(claim)
            raise
        if answer is not self._shown:
            await self._services.keyed_calls.finish(claim, _kept(answer))
        self._services.at("call.before_answer")
        return answer

    async def _worked(self, work: Callable[[], Awaitable[Response]]) -> Response:
        """A refusal is an answer like another, unless it is a passing one. Raises what is none."""
        try:
            return await work()
        except _PASSING:
            raise
        except RotaError as error:
            refusal = refusal_of(self._request, error)
            if refusal.status_code >= 500:
                raise
            return refusal

    def _called(self, key: str) -> CallKey:
        """By the route's own writing of the path, in which an id has one form and the prefix no place."""
        scope = self._request.scope
        path = scope["route"].path_format.format_map(scope["path_params"])
        return CallKey(self._request.state.caller.tenant, self._request.method, path, key)


Onced = Annotated[Once, Depends()]


def _kept(answer: Response) -> KeptAnswer:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return KeptAnswer(answer.status_code, headers, bytes(answer.body))


def _again(kept: KeptAnswer) -> Response:
    return Response(kept.body, kept.status, {**kept.headers, REPLAYED: "true"})
