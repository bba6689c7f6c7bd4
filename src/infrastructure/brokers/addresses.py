"""The setting `ROTA_BROKERS`: a JSON object from a broker's name to its URL.

RabbitMQ  `amqp://user:password@host:5672/vhost`, or `amqps`
Redis     `redis://:password@host:6379/0`, or `rediss`
Kafka     `kafka://host:9092`, several with commas; without encryption and without a user
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

import orjson

from rota.domain.errors import InvalidError
from rota.domain.ids import slug

SETTING: Final = "ROTA_BROKERS"


class Kind(Enum):
    """A kind of broker; the value is the extra of `rota` that brings its library."""

    RABBIT = "rabbit"
    REDIS = "redis"
    KAFKA = "kafka"


_SCHEMES: Final = {
    "amqp": Kind.RABBIT,
    "amqps": Kind.RABBIT,
    "redis": Kind.REDIS,
    "rediss": Kind.REDIS,
    "kafka": Kind.KAFKA,
}


def parse_brokers(text: str) -> dict[str, str]:
    """The brokers by name; none where `text` is blank. Raises InvalidError that names the setting and the entry.

    No error repeats a URL: it may carry a password.
    """
    if not text.strip():
        return {}
    try:
        brokers = orjson.loads(text)
    except ValueError as error:
        raise InvalidError("is no JSON", SETTING) from error
    if not isinstance(brokers, dict):
        raise InvalidError("must be an object from names to URLs", SETTING)
    check_brokers(brokers)
    return brokers


def check_brokers(brokers: Mapping[str, object]) -> None:
    """Raises InvalidError on the first entry that is none."""
    for name, url in brokers.items():
        _check_name(name)
        field = field_of(name)
        if not isinstance(url, str):
            raise InvalidError("must be a URL", field)
        if kind_of(url, field) is Kind.KAFKA:
            kafka_servers(url, field)
        else:
            _check_host(url, field)


def kind_of(url: str, field: str) -> Kind:
    """Raises InvalidError on `field`."""
    kind = _SCHEMES.get(url.partition("://")[0])
    if kind is None:
        raise InvalidError(f"must begin with one of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}", field)
    return kind


def kafka_servers(url: str, field: str) -> list[str]:
    """`host:port` of each server; raises InvalidError on `field`."""
    servers = url.partition("://")[2].removesuffix("/").split(",")
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536 or set(server) & set("@/?# "):
            raise InvalidError("must be kafka://host:port, several with commas, and nothing else", field)
    return servers


def field_of(name: str) -> str:
    return f"{SETTING}.{name}"


def _check_name(name: str) -> None:
    try:
        slug(name, SETTING)
    except InvalidError as error:
        raise InvalidError(f"a broker's name {error.faults[0].message}, unlike {name[:80]!r}", SETTING) from error


def _check_host(url: str, field: str) -> None:
    try:
        parts = urlsplit(url)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise InvalidError("has no readable host and port", field) from error
    if not has_place:
        raise InvalidError("must name a host", field)
