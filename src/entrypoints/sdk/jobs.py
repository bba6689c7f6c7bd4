"""A job as a worker declares it: a name, a handler, and how to call it."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.context import JobContext
from rota.entrypoints.sdk.outcome import invalid_payload

Handler = Callable[..., Any]
"""`(ctx, payload)` or `(ctx)`, async or not; what it returns is the result."""

DEFAULT_QUEUE = "default"


class HandlerExitError(RuntimeError):
    """A handler called `sys.exit()`: that ends the attempt, not the worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a registration says about a job, and the handler behind it. What is None is left to the server."""

    name: str
    handler: Handler
    queue: str = DEFAULT_QUEUE
    timeout: float | timedelta | None = None
    max_attempts: int | None = None
    retry: Mapping[str, Any] | None = None
    capabilities: Sequence[str] | None = None
    is_async: bool = field(init=False)
    _takes_payload: bool = field(init=False)
    _adapter: TypeAdapter[Any] | None = field(init=False)

    def __post_init__(self) -> None:
        annotation, takes_payload = _payload_of(self.handler)
        set_field = object.__setattr__  # frozen: derived once, here
        set_field(self, "is_async", _is_async(self.handler))
        set_field(self, "_takes_payload", takes_payload)
        set_field(self, "_adapter", None if annotation is Any else TypeAdapter(annotation))

    def as_wire(self) -> dict[str, Any]:
        """Its part of the register call."""
        body: dict[str, Any] = {"name": self.name, "queue": self.queue}
        retry = dict(self.retry or {})
        if self.max_attempts is not None:
            retry["maxAttempts"] = self.max_attempts
        if retry:
            body["retry"] = retry
        if self.timeout is not None:
            body["timeoutSec"] = wire.seconds(self.timeout)
        if self.capabilities is not None:
            body["capabilities"] = list(self.capabilities)
        return body

    async def call(self, ctx: JobContext, payload: Any) -> Any:
        """Carries out an async handler. Raises what it raises, and InvalidPayloadError."""
        arguments = self._arguments(ctx, payload)
        try:
            return await cast(Awaitable[Any], self.handler(*arguments))
        except SystemExit as error:
            raise HandlerExitError(f"the handler called sys.exit({error.code!r})") from error

    def call_sync(self, ctx: JobContext, payload: Any) -> Any:
        """The same for a plain handler, in the caller's thread."""
        arguments = self._arguments(ctx, payload)
        try:
            return self.handler(*arguments)
        except SystemExit as error:
            raise HandlerExitError(f"the handler called sys.exit({error.code!r})") from error

    def _arguments(self, ctx: JobContext, payload: Any) -> tuple[Any, ...]:
        return (ctx, self._read(payload)) if self._takes_payload else (ctx,)

    def _read(self, payload: Any) -> Any:
        if self._adapter is None:
            return payload
        try:  # as JSON: a strict model takes a date from a string there, and only there
            return self._adapter.validate_json(wire.encode(payload))
        except ValidationError as error:
            raise invalid_payload(error) from None


def _payload_of(handler: Handler) -> tuple[Any, bool]:
    """The payload's annotation (Any without one), and whether the handler takes a payload at all."""
    parameters = list(inspect.signature(handler).parameters.values())
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not places or len(needed) > 2 or any(p.kind is p.KEYWORD_ONLY for p in needed):
        raise TypeError(f"a handler takes (ctx, payload) or (ctx), not {inspect.signature(handler)}")
    if len(places) == 1:
        return Any, False
    return _hints(handler).get(places[1].name, Any), True


def _hints(handler: Handler) -> dict[str, Any]:
    plain = inspect.unwrap(handler)
    target = plain if inspect.isfunction(plain) or inspect.ismethod(plain) else type(plain).__call__
    try:
        return get_type_hints(target, include_extras=True)
    except NameError as error:
        raise TypeError(f"the payload's annotation cannot be read where the job is declared: {error}") from error


def _is_async(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
