"""Which subjects of the bus a tenant may listen to: those that carry its own name, and no others."""

from __future__ import annotations

from typing import Final

from rota.domain.errors import InvalidError
from rota.domain.ids import TenantId

AGGREGATES: Final = ("calendar", "job", "run", "schedule", "worker")
"""Whose events there are."""


def check_own_subject(subject: str, tenant_id: TenantId) -> None:
    """Raises InvalidError unless whatever comes on that subject is the tenant's.

    These are `topic.<tenant>.…`, and `scheduler.<aggregate>.<event>.<tenant>`, where a word of the rest may be `*`
    and the rest of a topic may be `>`.
    """
    match subject.split("."):
        case ["topic", tenant, _, *_] if tenant == tenant_id:
            return
        case ["scheduler", aggregate, event, tenant] if tenant == tenant_id and event != ">":
            _check_aggregate(aggregate)
        case _:
            raise InvalidError(
                f"must be topic.{tenant_id}.<topic> or scheduler.<aggregate>.<event>.{tenant_id}", "subject"
            )


def _check_aggregate(aggregate: str) -> None:
    if aggregate != "*" and aggregate not in AGGREGATES:
        raise InvalidError(f"must be about one of {', '.join(AGGREGATES)}, or *", "subject")
