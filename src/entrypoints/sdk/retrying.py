"""Whether a call that came to nothing is tried again, and when.

A call that surely had no effect (nobody could be reached, 429) is tried again whatever it is. One whose fate is
unknown (the answer was lost, 502, 504; 503, for the database may go away in the commit) is tried again where a second
effect is none: to read changes nothing, a POST carries its idempotency key, a patch says what shall be, and what a
first try has deleted a second finds gone. Only a patch that names the version it changes is not: its own first effect
would refuse it.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

import httpx
import structlog

from rota.entrypoints.sdk.backoff import Backoff
from rota.entrypoints.sdk.call import Call
from rota.entrypoints.sdk.errors import RotaError, UnreachableError
from rota.entrypoints.sdk.problems import read_problem

log = structlog.get_logger("rota.client")

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 5.0
SHORTEST_TRY: Final = 0.1
"""Seconds that even the last try is given."""

_HAD_NO_EFFECT: Final = frozenset({429})
_UNKNOWN: Final = frozenset({502, 503, 504})
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_FOR_GOOD: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class Effort:
    """The tries of one call, over `patience` seconds at the most. Each may take `timeout`, but the later ones no more
    than is left.
    """

    def __init__(
        self, call: Call[Any], patience: float, timeout: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._call = call
        self._timeout = timeout
        self._clock = clock
        self._end = clock() + patience
        self._backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
        self._is_first = True
        self._is_unsure = False

    def begin(self) -> float:
        """Seconds that the next try may take."""
        limit = self._timeout if self._is_first else max(SHORTEST_TRY, min(self._timeout, self._left))
        self._is_first = False
        return limit

    def has_worked(self, answer: httpx.Response) -> bool:
        """Whether that is the answer to a success: also where an earlier try has deleted what is not found now."""
        is_gone = self._call.method == "DELETE" and self._is_unsure and answer.status_code == HTTPStatus.NOT_FOUND
        return is_gone or not answer.is_error

    def after_answer(self, answer: httpx.Response) -> float:
        """Seconds until the next try. Raises RotaError where there is none."""
        problem = read_problem(answer)
        if not self._may_repeat(problem):
            raise problem
        self._is_unsure |= problem.status in _UNKNOWN
        return self._wait(problem)

    def after_silence(self, error: httpx.TransportError, url: str) -> float:
        """The same for a try without an answer. Raises UnreachableError where there is no other."""
        nobody = UnreachableError(f"no server answers at {url}: {error or type(error).__name__}")
        is_sent = not isinstance(error, _NEVER_SENT)
        if isinstance(error, _FOR_GOOD) or (is_sent and self._is_for_once):
            raise nobody from error
        self._is_unsure |= is_sent
        try:
            return self._wait(nobody)
        except UnreachableError:
            raise nobody from error

    @property
    def _left(self) -> float:
        return self._end - self._clock()

    @property
    def _is_for_once(self) -> bool:
        return self._call.method == "PATCH" and self._call.if_match is not None

    def _may_repeat(self, problem: RotaError) -> bool:
        if problem.status == HTTPStatus.CONFLICT:  # that the first try still goes on is the one that may pass
            return self._call.method == "POST" and problem.retry_after is not None
        return problem.status in _HAD_NO_EFFECT or (problem.status in _UNKNOWN and not self._is_for_once)

    def _wait(self, problem: RotaError) -> float:
        """As long as the server wants, and some more so that not all come back at once. Raises `problem`."""
        wait = (problem.retry_after or 0.0) + self._backoff.next()
        if wait >= self._left:
            raise problem
        log.warning(
            "call_repeated", method=self._call.method, path=self._call.path, wait_sec=round(wait, 3), why=str(problem)
        )
        return wait
