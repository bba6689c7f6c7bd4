"""The services of docker-compose.yml as processes of this machine.

What a service is told there is taken from there; only addresses, paths and the database's are this machine's.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from tests.e2e.test_up import LEASH, PATIENCE
from tests.install.composition import read_composition, services_of_ours
from tests.install.environments import PROJECT, Environment
from tests.install.image import read_stages

from rota.infrastructure.embedded.programs import nats_server

OWN_TIME = 45.0
"""Seconds that a service may take to end: a worker drains for thirty."""


@dataclass(slots=True)
class Chain:
    """`addresses` are what is written instead of what; volumes are directories in `place`."""

    place: Path
    environments: Mapping[str, Environment]
    addresses: Mapping[str, str]
    ports: Mapping[str, int]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, name: str) -> None:
        """A service that does its work and ends."""
        assert self._start(name).wait(PATIENCE) == 0, self.told(name)

    def start(self, name: str) -> None:
        self.running[name] = self._start(name)

    def start_nats(self) -> None:
        service = read_composition()["services"]["nats"]
        config = self.place / "nats.conf"
        told = (PROJECT / "deploy" / "nats.conf").read_text().replace('"/data"', f'"{self.place / "nats"}"')
        config.write_text(self._here(told))
        self.running["nats"] = self._popen("nats", [str(nats_server()), "-c", str(config)], service["environment"])

    def is_healthy(self, name: str) -> bool:
        """What the image's own check says."""
        _, *words = read_stages()[-1].healthcheck
        python = str(self.environments[name].bin / "python")
        ended = subprocess.run([python, *words], env=self._settings(name), capture_output=True, check=False)
        return ended.returncode == 0

    def execute(self, name: str, *words: str) -> str:
        """As `docker compose exec` does: `rota …` with that service's settings."""
        environment = self.environments[name]
        ended = subprocess.run(
            environment.command(*words), env=self._settings(name), capture_output=True, text=True, check=True
        )
        return ended.stdout.strip()

    def stop(self, name: str) -> int:
        process = self.running.pop(name)
        process.terminate()
        return process.wait(OWN_TIME)

    def end(self) -> None:
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.terminate()
                process.wait(OWN_TIME)
            process.kill()

    def told(self, name: str) -> str:
        return (self.place / f"{name}.log").read_text()

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        service = services_of_ours()[name]
        entrypoint = service.get("entrypoint", read_stages()[-1].listed("ENTRYPOINT"))
        words = [self._here(word) for word in (*entrypoint, *service["command"])]
        if words[0] == "rota":
            words[0] = str(self.environments[name].bin / "rota")
        else:
            words[0] = f"/bin/{words[0]}"
        return self._popen(name, words, self._settings(name))

    def _popen(self, name: str, words: list[str], settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.place / f"{name}.log").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *words],
                cwd=PROJECT / "deploy" if name == "worker" else self.place,
                env=dict(settings),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _settings(self, name: str) -> dict[str, str]:
        image = {key: value for key, value in read_stages()[-1].variables.items() if key != "PATH"}
        given = image | services_of_ours()[name].get("environment", {})
        own = {"HOST": "127.0.0.1", "PORT": str(self.ports.get(name, 0))}
        return self.environments[name].variables(**{key: self._here(value) for key, value in given.items()} | own)

    def _here(self, text: str) -> str:
        text = reduce(lambda so_far, pair: so_far.replace(*pair), self.addresses.items(), text)
        return re.sub(r"(?<![\w/.])/(data|token)\b", f"{self.place}/\\1", text)


@contextmanager
def a_chain(place: Path, database_url: str, server: Environment, plain: Environment) -> Iterator[Chain]:
    """Nothing of it runs yet. Only the worker has the plain environment."""
    names = services_of_ours().keys()
    ports = dict(zip(("nats", "watch", "server-1", "server-2"), _free_ports(4), strict=True))
    for volume in ("data", "token", "nats"):
        (place / volume).mkdir()
    addresses = {
        "postgresql://rota:rota@postgres:5432/rota": database_url,
        "@nats:4222": f"@127.0.0.1:{ports['nats']}",
        "//nats:4222": f"//127.0.0.1:{ports['nats']}",
        "0.0.0.0:4222": f"127.0.0.1:{ports['nats']}",
        "127.0.0.1:8222": f"127.0.0.1:{ports['watch']}",
        "//rota:3080": f"//127.0.0.1:{ports['server-1']}",
    }
    chain = Chain(place, {name: plain if name == "worker" else server for name in names}, addresses, ports)
    try:
        yield chain
    finally:
        chain.end()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
