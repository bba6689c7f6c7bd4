"""The seam at which aiohttp is given addresses: what was checked is what is connected to.

Names come by `CheckedResolver`. Addresses written in the URL pass by any resolver, so that `checked_socket` looks
again at each address for which a socket is opened.
"""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from rota.infrastructure.webhooks.addresses import check_public
from rota.infrastructure.webhooks.lookups import LookUp


class CheckedResolver(AbstractResolver):
    """One forbidden address among several forbids the name: no public name has a reason for it."""

    def __init__(self, look_up: LookUp, *, allow_private: bool) -> None:
        self._look_up = look_up
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError (there is no such name) or ForbiddenAddressError."""
        addresses = await self._look_up(host)
        if not addresses:
            raise OSError(f"{host} has no address")
        if not self._allow_private:
            for address in addresses:
                check_public(address)
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """The lookups are closed by whoever opened them."""


def checked_socket(info: AddrInfoType) -> socket.socket:
    """Raises ForbiddenAddressError."""
    family, kind, proto, _, address = info
    check_public(str(address[0]))
    return socket.socket(family, kind, proto)


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
