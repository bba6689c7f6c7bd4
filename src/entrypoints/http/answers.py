"""Answers: views, written as JSON once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from rota.application.json import dump_bytes


class Answer(Response):
    media_type = "application/json"

    def __init__(self, view: object, status: int = 200, *, version: int | None = None) -> None:
        """`version` is for the ETag of what has one."""
        super().__init__(dump_bytes(view), status, {} if version is None else {"ETag": f'"{version}"'})


def made(request: Request, kind: str, key: UUID, view: object, *, version: int | None = None) -> Response:
    """201, with the place of what was made, seen from where the API is mounted."""
    answer = Answer(view, 201, version=version)
    answer.headers["Location"] = f"{request.scope['root_path']}/{kind}/{key}"
    return answer


def shows(model: Any, status: int = 200, text: str = "What was asked for") -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: the answer with that status."""
    return {status: {"model": model, "description": text}}
