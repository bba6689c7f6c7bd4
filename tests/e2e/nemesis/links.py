"""Every link of the system under test, each through a proxy: servers to Postgres and NATS, workers to NATS, clients to the API."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from tests.e2e.nemesis.process import Process
from tests.e2e.proxy import HOST, Link, Proxy

# Below the range of outgoing connections, so that nobody is given a server's port while that is down.
PORTS = range(11_000, 14_900)
LEASING = b"INTO leases"
"""In what a server sends over the connections that keep its lease, and over no others."""

POSTGRES, NATS, API = "postgres", "nats", "api"


class Links:
    """Named by both ends, as `server-a>postgres`. Workers share one address: their links are told apart by process."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._proxies: dict[str, list[Proxy]] = {POSTGRES: [], NATS: [], API: []}

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def between(self, client: str, server: str) -> Link:
        return self._add(client, server)

    async def lead_to(self, kind: str, client: str, server: str, target: Callable[[], int]) -> int:
        """A link of its own; answers the port that stands for the server's."""
        link = self._add(client, server)
        if kind == POSTGRES:
            link.mark(LEASING)
        return await self._open(kind, target, lambda _: link)

    async def lead_many_to(
        self, server: str, target: Callable[[], int], clients: Callable[[], Sequence[Process]]
    ) -> int:
        """One port for all the clients there will be, a link for each."""

        def choose(port: int) -> Link:
            names = (process.name for process in clients() if process.talks_from(port))
            return self._add(next(names, "unknown"), server)

        return await self._open(server, target, choose)

    def of_workers(self) -> list[Link]:
        return [link for name, link in self._links.items() if name.startswith("worker")]

    def shut(self, server: str) -> None:
        """Whoever wants to connect to it is refused at once."""
        for proxy in self._proxies[server]:
            proxy.shut()

    async def open(self, server: str) -> None:
        for proxy in self._proxies[server]:
            await proxy.open()

    async def heal(self) -> None:
        for link in self:
            link.clear()
        for server in self._proxies:
            await self.open(server)

    async def close(self) -> None:
        for proxies in self._proxies.values():
            for proxy in proxies:
                await proxy.close()

    def _add(self, client: str, server: str) -> Link:
        name = f"{client}>{server}"
        return self._links.setdefault(name, Link(name))

    async def _open(self, kind: str, target: Callable[[], int], choose: Callable[[int], Link]) -> int:
        proxy = Proxy(next(free_ports(1)), target, choose)
        await proxy.open()
        self._proxies[kind].append(proxy)
        return proxy.port


def through(url: str, port: int) -> str:
    """The same address, by way of another port of this machine."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}{HOST}:{port}"))


def free_ports(count: int) -> Iterator[int]:
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            yield port
            count -= 1
        if not count:
            return
