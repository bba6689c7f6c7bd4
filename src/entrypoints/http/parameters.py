"""Endpoints that take no parameters take none: an unknown one is an error that names it."""

from __future__ import annotations

from fastapi import Depends, Request

from rota.domain.errors import FieldFault, InvalidError


def no_parameters(request: Request) -> None:
    """`tenantId` aside, which goes with every call."""
    unknown = dict.fromkeys(name for name in request.query_params if name != "tenantId")
    if unknown:
        raise InvalidError("", faults=tuple(FieldFault(name[:80], "unknown") for name in unknown))


async def _no_parameters(request: Request) -> None:
    no_parameters(request)


NO_PARAMETERS = Depends(_no_parameters)
