"""The two clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from inspect import Signature, getmembers, isfunction, signature
from typing import get_args, get_origin

from rota.entrypoints.sdk.client import Rota, RotaSync


def methods(client: type) -> dict[str, Signature]:
    return {
        name: _sync(signature(method)) for name, method in getmembers(client, isfunction) if not name.startswith("_")
    }


def _sync(said: Signature) -> Signature:
    """What is iterated over is so in the client's own way."""
    answer = said.return_annotation
    if get_origin(answer) is AsyncIterator:
        return said.replace(return_annotation=Iterator[get_args(answer)[0]])  # type: ignore[misc]  # a type made here
    return said


def test_they_have_the_same_calls_with_the_same_answers() -> None:
    assert methods(Rota) == methods(RotaSync)
