"""Every refusal is a problem document (RFC 9457); here, once, errors become statuses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from rota.application.json import dump_bytes
from rota.domain.errors import (
    ConflictError,
    FieldFault,
    ForbiddenError,
    InvalidError,
    KeyInFlightError,
    NotFoundError,
    RotaError,
    StaleError,
    UnauthenticatedError,
    UnavailableError,
)
from rota.entrypoints.http.errors import ForeignTenantError, TooLargeError, TooSlowError, UnreadableError
from rota.entrypoints.http.wire.faults import faults

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[type[BaseException], int]] = {
    UnreadableError: 400,
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    TooSlowError: 408,
    ConflictError: 409,
    StaleError: 412,
    TooLargeError: 413,
    InvalidError: 422,
    UnavailableError: 503,
    RotaError: 500,
}

_NAMING: Final = (InvalidError, UnreadableError, ForeignTenantError, KeyInFlightError, StaleError)
_CODES: Final = {404: "not-found", 405: "method-not-allowed"}
_METHODS: Final = ("GET", "POST", "PATCH", "DELETE")


class Problem(Response):
    """`code` is the stable part of the type; the title follows from it."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        scope: Scope,
        status: int,
        code: str,
        detail: str,
        faults: Sequence[FieldFault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        document: dict[str, Any] = {
            "type": f"urn:rota:error:{code}",
            "title": code.replace("-", " ").capitalize(),
            "status": status,
            "detail": detail,
            "instance": quote(scope["path"]),
        }
        if faults:
            document["errors"] = [{"field": fault.field, "message": fault.message} for fault in faults]
        super().__init__(dump_bytes(document), status, headers)


def answer_with_problems(app: FastAPI) -> None:
    """Unexpected exceptions are not among these: they are the outermost layer's (`edge`)."""
    app.add_exception_handler(RotaError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_parameters)
    app.add_exception_handler(HTTPException, _refuse_route)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RotaError)
    return refusal_of(request, error)


def refusal_of(request: Request, error: RotaError) -> Response:
    """The problem document; an error that is no refusal is raised."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status in (401, 403):
        log.warning("access_refused", status=status, method=request.method, path=request.url.path, reason=str(error))
    elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    return Problem(request.scope, status, error.code, str(error), _faults_of(error), _headers_for(error))


async def _refuse_parameters(request: Request, error: Exception) -> Response:
    """Of the path or the query; bodies are read elsewhere."""
    assert isinstance(error, RequestValidationError)
    named = [{**each, "loc": each["loc"][1:]} for each in error.errors()]
    return await _refuse(request, InvalidError("", faults=tuple(faults(named))))


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, dict(error.headers or {})
    detail = error.detail
    if status == HTTPStatus.NOT_FOUND:
        detail = "there is no such path; ids in a path are UUIDs"
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
        detail = f"this path takes {headers['Allow']}"
    return Problem(request.scope, status, _CODES.get(status, f"http-{status}"), detail, headers=headers)


def _allowed(request: Request) -> list[str]:
    """Several routes share a path, one for each method: the framework names only the first's."""
    app: FastAPI = request.app
    return [method for method in _METHODS if _is_taken(app, {**request.scope, "method": method})]


def _is_taken(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in app.router.routes)


def _faults_of(error: RotaError) -> Sequence[FieldFault]:
    return error.faults if isinstance(error, _NAMING) else ()


def _headers_for(error: RotaError) -> dict[str, str]:
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, (UnavailableError, KeyInFlightError)):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    return {}
