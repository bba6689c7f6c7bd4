"""What goes over the wire: subjects, limits and JSON, as the contract's sections 2 and 3 have them."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from pydantic_core import to_jsonable_python

REPORT_STREAM: Final = "ROTA_REPORTS"
STREAM_INFO: Final = f"$JS.API.STREAM.INFO.{REPORT_STREAM}"

ACK_WAIT: Final = 5.0
"""Seconds after which the bus gives an unacknowledged work message to somebody else."""
RESULT_LIMIT: Final = 256 * 1024
RESULT_NESTING: Final = 64
BATCH_LIMIT: Final = 1024 * 1024 - 4096
"""Bytes of one report message: below 1 MiB, with room for its headers."""

ACK: Final = b""
NAK: Final = b"-NAK"
IN_PROGRESS: Final = b"+WPI"
TERM: Final = b"+TERM"

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS


def report_subject(tenant: str) -> str:
    return f"scheduler.report.{tenant}"


def beat_subject(tenant: str) -> str:
    return f"scheduler.beat.{tenant}"


def control_subject(tenant: str, worker_id: str) -> str:
    return f"scheduler.control.{tenant}.{worker_id}"


def pull_subject(stream: str, consumer: str) -> str:
    return f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"


def inbox(worker_id: str) -> str:
    """The only place where a worker may listen, its control subject aside."""
    return f"_INBOX.worker.{worker_id}"


def encode(value: object) -> bytes:
    """Raises TypeError for what JSON cannot say."""
    return orjson.dumps(value, option=_OPTIONS)


def encode_any(value: object) -> bytes:
    """As `encode`, and pydantic models, sets, decimals, paths and the like too. Raises TypeError or ValueError."""
    return orjson.dumps(value, default=to_jsonable_python, option=_OPTIONS)


def decode(data: bytes) -> Any:
    """Any JSON value, hence Any. Raises ValueError."""
    return orjson.loads(data)


def instant(text: str) -> datetime:
    """Raises ValueError for anything but RFC 3339 with an offset."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} names no offset")
    return value


def seconds(duration: float | timedelta) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def clean(text: str, limit: int) -> str:
    """`text` as JSON and Postgres can hold it (no NUL, no lone surrogate), cut to `limit` characters."""
    return text[:limit].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def tenant_claim(token: str) -> str | None:
    """The `tenant` claim of a JWT, read without checking it: the server is the one who checks."""
    try:
        body = token.split(".")[1]
        claims = decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return None
    tenant = claims.get("tenant") if isinstance(claims, Mapping) else None
    return tenant if isinstance(tenant, str) else None
