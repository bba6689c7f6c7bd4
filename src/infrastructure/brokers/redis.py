"""Redis: one stream per topic, by XADD; no entry is ever trimmed.

An entry has the one field `__data__`: a JSON object of `data`, the payload as JSON text, and `headers`. Any
program can read that, and FastStream's subscribers do by themselves; FastStream's own default is a binary
envelope that only they read. How well a stored entry survives the server is its operator's `appendfsync`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from faststream.redis import RedisBroker
from faststream.redis.parser import BinaryMessageFormatV1
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LinkError
from redis.exceptions import RedisError, ResponseError

from rota.domain.errors import UnavailableError
from rota.infrastructure.brokers.letter import Letter
from rota.infrastructure.brokers.line import AT_ONCE
from rota.infrastructure.brokers.link import Place, RefusedError

ANSWER_TIMEOUT: Final = 5.0
"""Seconds, for a connection as for an answer."""


class JsonEnvelope(BinaryMessageFormatV1):
    """Written as JSON; read as FastStream reads, which knows both."""

    @classmethod
    async def encode(cls, **parts: Any) -> bytes:  # Any: as mixed as the parts of the method it replaces
        built = await cls.build(**parts)
        return orjson.dumps({"data": built.data.decode(), "headers": built.headers})


class RedisLink:
    """A pool of connections, each made when needed, so that one which breaks is no loss of the link."""

    is_lost = False

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    async def put(self, letter: Letter) -> Place:
        try:
            entry = await self._broker.publish(
                letter.body,
                stream=letter.to,
                correlation_id=letter.correlation_id,
                headers={"content-type": "application/json", "message_id": letter.id, **letter.headers},
            )
        except ResponseError as error:
            raise RefusedError(str(error)) from error
        except (RedisError, OSError) as error:
            raise UnavailableError(str(error)) from error
        return {"stream": letter.to, "id": entry.decode()}

    async def close(self) -> None:
        await self._broker.stop()


async def open_redis(url: str) -> RedisLink:
    """Raises UnavailableError; a password refused, or a server that still loads its data, counts as that too."""
    broker = RedisBroker(url, message_format=JsonEnvelope, **_options())
    try:
        await (await broker.connect()).ping()
    except (RedisError, OSError) as error:
        await broker.stop()
        raise UnavailableError(str(error)) from error
    return RedisLink(broker)


def _options() -> Mapping[str, Any]:
    """A connection that was found broken is made anew once, at once: after an idle hour that is no failure.

    If it broke between the command and its answer, the entry is there twice, under one `message_id`.
    """
    return {
        "max_connections": AT_ONCE,
        "socket_timeout": ANSWER_TIMEOUT,
        "socket_connect_timeout": ANSWER_TIMEOUT,
        "retry": Retry(NoBackoff(), 1, supported_errors=(LinkError,)),
    }
