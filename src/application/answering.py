"""What a call is answered is stored with what it does: a use case says it before it commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

from rota.application.ports.keyed_calls import Claim, KeptAnswer
from rota.application.ports.store import UnitOfWork

Show: TypeAlias = Callable[[Any], KeptAnswer]  # Any: what the use case answers, which the caller alone knows


@dataclass(frozen=True, slots=True)
class _Answering:
    claim: Claim
    show: Show


_under_way: ContextVar[_Answering | None] = ContextVar("keyed call", default=None)


@contextmanager
def answering(claim: Claim, show: Show) -> Iterator[None]:
    """Within it one message is handled, for a call with an idempotency key; `show` makes the answer of its result."""
    before = _under_way.set(_Answering(claim, show))
    try:
        yield
    finally:
        _under_way.reset(before)


def keep_answer(work: UnitOfWork, result: object) -> None:
    """To be called before the commit that makes `result` true. For a call without a key it does nothing.

    A context carries the call here, as it is the only thing that a use case would pass on without a look at it.
    """
    call = _under_way.get()
    if call is not None:
        work.answers.keep(call.claim, call.show(result))
