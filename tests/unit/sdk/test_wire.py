"""Small things of the wire."""

from datetime import UTC, datetime

import pytest

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.backoff import Backoff


@pytest.mark.parametrize(
    ("token", "tenant"),
    [
        ("e30.eyJ0ZW5hbnQiOiJhY21lIn0.x", "acme"),
        ("e30.eyJ0ZW5hbnQiOiIqIn0.x", "*"),
        ("e30.eyJ0ZW5hbnQiOjF9.x", None),
        ("e30.W10.x", None),
        ("e30.!!.x", None),
        ("opaque", None),
        ("", None),
    ],
)
def test_the_tenant_is_read_from_the_token_where_it_names_one(token: str, tenant: str | None) -> None:
    assert wire.tenant_claim(token) == tenant


def test_an_instant_needs_an_offset() -> None:
    assert wire.instant("2026-01-02T03:04:05Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with pytest.raises(ValueError, match="offset"):
        wire.instant("2026-01-02T03:04:05")


def test_waits_double_up_to_a_limit_with_jitter_and_start_anew() -> None:
    backoff = Backoff(1.0, 8.0)

    waits = [backoff.next() for _ in range(6)]
    backoff.reset()

    for wait, step in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert step / 2 <= wait <= step
    assert backoff.next() <= 1.0
