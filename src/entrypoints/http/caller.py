"""Who calls, for which tenant, and whether they may: the same for every endpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from rota.application.ports.tokens import ADMIN, ANY_TENANT, OPERATE, READ, Claims
from rota.domain.errors import ForbiddenError, InvalidError, UnauthenticatedError
from rota.domain.ids import TenantId, tenant_id
from rota.entrypoints.http.errors import ForeignTenantError, UnreadableError
from rota.entrypoints.http.parameters import once_each
from rota.entrypoints.http.services import HttpServices
from rota.entrypoints.http.writers import refuse_misplaced

TENANT_HEADER: Final = "X-Tenant-Id"

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_bearer = HTTPBearer(bearerFormat="JWT", auto_error=False, description="Claims `tenant` and `scope`.")


@dataclass(frozen=True, slots=True)
class Caller:
    tenant: TenantId
    correlation_id: str
    traceparent: str | None

    def must_own(self, tenant: str | None, field: str) -> None:
        """Raises ForeignTenantError for a tenant, said in that field, that is not the caller's."""
        if tenant is not None and tenant != self.tenant:
            raise ForeignTenantError(field)


async def wired(request: Request) -> HttpServices:
    services: HttpServices = request.app.state.services
    return services


Wired = Annotated[HttpServices, Depends(wired)]


async def claims_of(
    services: Wired,
    scopes: SecurityScopes,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Claims:
    """Raises UnauthenticatedError, or ForbiddenError if a scope is missing."""
    if bearer is None:
        raise UnauthenticatedError("a bearer token is needed")
    claims = await services.tokens.verify(bearer.credentials)
    for scope in scopes.scopes:
        if not claims.allows(scope):
            raise ForbiddenError(f"the token does not have the scope {scope}")
    return claims


async def caller_of(request: Request, claims: Annotated[Claims, Depends(claims_of)]) -> Caller:
    """Raises UnreadableError, ForeignTenantError and InvalidError."""
    tenant = _tenant(claims, request)
    structlog.contextvars.bind_contextvars(tenant=tenant)
    caller = Caller(tenant, request.state.correlation_id, _traceparent(request))
    for said in request.query_params.getlist("tenantId"):
        caller.must_own(said, "tenantId")
    once_each(request)
    refuse_misplaced(request)
    request.state.caller = caller
    return caller


Reader = Annotated[Caller, Security(caller_of, scopes=[READ])]
Operator = Annotated[Caller, Security(caller_of, scopes=[OPERATE])]
Admin = Annotated[Caller, Security(caller_of, scopes=[ADMIN])]
AnyReader = Annotated[Claims, Security(claims_of, scopes=[READ])]
"""For what belongs to no tenant."""


def _tenant(claims: Claims, request: Request) -> TenantId:
    """The token's, which the header may repeat; or the header's, for a token of all tenants."""
    said = request.headers.getlist(TENANT_HEADER)
    if claims.tenant == ANY_TENANT:
        return _chosen(said)
    if any(tenant != claims.tenant for tenant in said):
        raise ForeignTenantError(TENANT_HEADER)
    return TenantId(claims.tenant)


def _chosen(said: list[str]) -> TenantId:
    if len(set(said)) != 1:
        raise UnreadableError("a token for all tenants must name one", TENANT_HEADER)
    try:
        return tenant_id(said[0])
    except InvalidError as error:
        raise UnreadableError(error.faults[0].message, TENANT_HEADER) from error


def _traceparent(request: Request) -> str | None:
    """One that cannot be read counts as none (W3C Trace Context)."""
    said = request.headers.get("traceparent", "")
    return said if _TRACEPARENT.fullmatch(said) else None
