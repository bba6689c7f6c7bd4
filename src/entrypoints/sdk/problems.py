"""From an HTTP answer to the error it stands for."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.errors import RotaError, refusal


def read_problem(answer: httpx.Response) -> RotaError:
    """Also of an answer that is no problem document, as a proxy in between may give."""
    try:
        problem = wire.decode(answer.content)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"title": answer.reason_phrase, "detail": wire.clean(answer.text, 200)}
    return refusal(answer.status_code, problem, retry_after=retry_after(answer))


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds, never negative; None where nothing readable is said.

    A date is compared with the server's own clock where it tells it, which ours need not agree with.
    Source: RFC 9110, section 10.2.3.
    """
    said = answer.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    then = _date(said)
    if then is None:
        return None
    now = _date(answer.headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (then - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
