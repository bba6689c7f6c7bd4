"""The two clients."""

from __future__ import annotations

from inspect import Signature, getmembers, isfunction, signature

from rota.entrypoints.sdk.client import Rota, RotaSync


def methods(client: type) -> dict[str, Signature]:
    return {name: signature(method) for name, method in getmembers(client, isfunction) if not name.startswith("_")}


def test_they_have_the_same_calls_with_the_same_answers() -> None:
    assert methods(Rota) == methods(RotaSync)
