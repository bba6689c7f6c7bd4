"""From an HTTP answer to the error it stands for."""

import httpx

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.errors import RotaError


def read_problem(answer: httpx.Response) -> RotaError:
    """Also of an answer that is no problem document, as a proxy in between may give."""
    try:
        problem = wire.decode(answer.content)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"title": answer.reason_phrase, "detail": wire.clean(answer.text, 200)}
    return RotaError(answer.status_code, problem)
