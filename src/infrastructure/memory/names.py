"""Names are unique among the living of one tenant."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from rota.domain.errors import NameTakenError
from rota.domain.ids import TenantId
from rota.infrastructure.memory.tables import Draft, NameKey

Id = TypeVar("Id", bound=UUID)


def rename(
    names: Draft[NameKey, Id], kind: str, tenant_id: TenantId, owner: Id, before: str | None, after: str | None
) -> None:
    """None is the name of what does not live. Raises NameTakenError."""
    if before is not None:
        names.remove((tenant_id, before))
    if after is not None:
        if names.get((tenant_id, after)) is not None:
            raise NameTakenError(kind, after)
        names.put((tenant_id, after), owner)
