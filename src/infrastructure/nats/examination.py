"""What can be said of a bus before anything relies on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rota.domain.errors import RotaError, UnavailableError
from rota.infrastructure.nats import names
from rota.infrastructure.nats.api import Answer, JetStreamApi
from rota.infrastructure.nats.connection import connect
from rota.infrastructure.nats.provisioner import Provisioner

TIMEOUT: Final = 2.0
REFUSE_WHEN_FULL: Final = (names.WORK, names.REPORTS)
STREAMS: Final = (names.EVENTS, *REFUSE_WHEN_FULL, names.TOPICS)


class JetStreamOffError(UnavailableError):
    """A server answers that keeps no streams, or none for this account."""


@dataclass(frozen=True, slots=True)
class BusFacts:
    """`stored` and `most_stored` in bytes; the latter None where the account has no limit of its own."""

    version: str
    stored: int
    most_stored: int | None
    fullness: Mapping[str, float]
    """Of the streams that refuse when they are full: from 0 to 1."""
    drift: Mapping[str, str]
    """What differs from how it should be, by stream or consumer."""
    ahead: timedelta | None
    """By how much its clock is ahead of ours, half the time of the question allowed for; None without a stream."""


async def examine_bus(url: str) -> BusFacts:
    """Changes nothing. Raises UnavailableError, of the kinds of `connect`, where no server can be worked with, and
    JetStreamOffError where one answers that keeps no streams.
    """
    connection = await connect(url, name="rota-doctor", deadline=TIMEOUT)
    try:
        api = JetStreamApi(connection)
        account = await _account(api)
        fullness, ahead = await _streams(api)
        version = connection.connected_server_version
        most = account["limits"]["max_storage"]
        return BusFacts(
            version=f"{version.major}.{version.minor}.{version.patch}",
            stored=account["storage"],
            most_stored=most if most > 0 else None,
            fullness=fullness,
            drift=await Provisioner(connection).drift(),
            ahead=ahead,
        )
    finally:
        await connection.close()


async def _account(api: JetStreamApi) -> Answer:
    try:
        return await api.ask("INFO")
    except RotaError as error:
        raise JetStreamOffError(str(error)) from error


async def _streams(api: JetStreamApi) -> tuple[dict[str, float], timedelta | None]:
    fullness: dict[str, float] = {}
    ahead: timedelta | None = None
    for name in STREAMS:
        asked, began = datetime.now(UTC), time.monotonic()
        found = await api.stream(name)
        if found is None:
            continue
        ahead = datetime.fromisoformat(found["ts"]) - asked - timedelta(seconds=(time.monotonic() - began) / 2)
        most = found["config"]["max_bytes"]
        if name in REFUSE_WHEN_FULL and most > 0:
            fullness[name] = found["state"]["bytes"] / most
    return fullness, ahead
