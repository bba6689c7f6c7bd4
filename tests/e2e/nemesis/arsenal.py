"""All the faults that there are."""

from __future__ import annotations

from collections.abc import Mapping

from tests.e2e.nemesis.strike import Kind
from tests.e2e.nemesis.strikes import bus, callers, crowd, messages, partitions, points, poison, postgres, processes

KINDS: Mapping[str, Kind] = {
    **processes.KINDS,
    **points.KINDS,
    **postgres.KINDS,
    **bus.KINDS,
    **partitions.KINDS,
    **messages.KINDS,
    **callers.KINDS,
    **poison.KINDS,
    **crowd.KINDS,
}
