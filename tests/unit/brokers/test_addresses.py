from __future__ import annotations

import pytest

from rota.domain.errors import InvalidError
from rota.infrastructure.brokers.addresses import kafka_servers, parse_brokers


def test_brokers_are_urls_by_name() -> None:
    text = """{"billing": "amqp://user:secret@rabbit/vhost", "safe": "amqps://rabbit:5671",
               "cache": "redis://:secret@cache:6379/2", "tls": "rediss://cache", "stream": "kafka://a:9092,b:9092"}"""

    assert parse_brokers(text) == {
        "billing": "amqp://user:secret@rabbit/vhost",
        "safe": "amqps://rabbit:5671",
        "cache": "redis://:secret@cache:6379/2",
        "tls": "rediss://cache",
        "stream": "kafka://a:9092,b:9092",
    }


@pytest.mark.parametrize("text", ["", "  ", "{}"])
def test_a_blank_setting_names_no_brokers(text: str) -> None:
    assert parse_brokers(text) == {}


@pytest.mark.parametrize("text", ["{", "nothing", "[]", '"amqp://rabbit"', "null"])
def test_what_is_no_json_object_is_refused_with_the_setting_named(text: str) -> None:
    with pytest.raises(InvalidError, match="^ROTA_BROKERS: "):
        parse_brokers(text)


@pytest.mark.parametrize("name", ["", "Billing", "-x", "with space", "dot.ted", "line\\nbreak", "x" * 64])
def test_a_name_that_no_target_could_say_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InvalidError, match="^ROTA_BROKERS: a broker's name must match") as refusal:
        parse_brokers(f'{{"{name}": "amqp://rabbit"}}')

    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        '"http://rabbit"',
        '"AMQP://rabbit"',
        '"rabbit:5672"',
        '""',
        '"amqp://"',
        '"amqp://rabbit:port"',
        '"amqp://rabbit:0"',
        '"redis://cache:70000"',
        '"redis:///0"',
        '"amqp://[::1"',
        '"kafka://host"',
        '"kafka://a:9092,b"',
        '"kafka://user:secret@host:9092"',
        '"kafka://host:9092/topic"',
        "5672",
        "null",
    ],
)
def test_what_is_no_url_of_a_broker_is_refused_with_the_entry_named(url: str) -> None:
    with pytest.raises(InvalidError, match="^ROTA_BROKERS.billing: "):
        parse_brokers(f'{{"fine": "amqp://rabbit", "billing": {url}}}')


@pytest.mark.parametrize("url", ["http://user:secret@rabbit", "amqp://user:secret@", "kafka://user:secret@host:9092"])
def test_a_refusal_does_not_repeat_a_password(url: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_brokers(f'{{"billing": "{url}"}}')

    assert "secret" not in str(refusal.value)


def test_an_unknown_scheme_is_told_the_known_ones() -> None:
    with pytest.raises(InvalidError, match="amqp://, amqps://, redis://, rediss://, kafka://"):
        parse_brokers('{"billing": "mqtt://there"}')


def test_a_kafka_url_names_several_servers() -> None:
    assert kafka_servers("kafka://a:9092,[::1]:9093/", "ROTA_BROKERS.stream") == ["a:9092", "[::1]:9093"]
