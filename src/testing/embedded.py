"""A whole Rota for as long as a test takes: what `rota up` runs, in a process of its own and a directory of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Final, Unpack

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.client import Rota, RotaSync
from rota.testing.options import Patience

START: Final = 60.0
STOP: Final = 30.0
LOOK_EVERY: Final = 0.02
LAST_LINES: Final = 20


class EmbeddedRotaError(Exception):
    """It did not start; the last lines that it said are in the message."""


@dataclass(frozen=True, slots=True)
class EmbeddedRota:
    """A server, seen from one tenant. `token` has all scopes; `log` is the file of its output."""

    url: str
    token: str
    tenant: str
    nats_url: str
    postgres_url: str
    data_dir: Path
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """What `Rota()`, `Worker()` and the `rota` command read: for `monkeypatch.setenv`, or another process."""
        return {"ROTA_URL": self.url, "ROTA_TOKEN": self.token}

    def client(self, **options: Unpack[Patience]) -> Rota:
        return Rota(self.url, self.token, **options)

    def client_sync(self, **options: Unpack[Patience]) -> RotaSync:
        return RotaSync(self.url, self.token, **options)

    def for_tenant(self, tenant: str | None = None) -> EmbeddedRota:
        """The same server, seen from another tenant; from one that nobody has used if none is named."""
        from rota.entrypoints.bootstrap.tokens import development_token  # loads server libraries

        own = tenant or f"test-{secrets.token_hex(6)}"
        return replace(self, tenant=own, token=development_token(self.data_dir, own))


@contextmanager
def embedded_rota(settings: Mapping[str, str] | None = None, *, start_within: float = START) -> Iterator[EmbeddedRota]:
    """A server on free ports, with Postgres and NATS of its own, and nothing stored. It is gone afterwards.

    `settings` are those of the environment (`{"DEFAULT_TZ": "Europe/Berlin"}`); those of this process do not reach it.
    Takes some seconds: start one for many tests, and give each a tenant of its own by `for_tenant()`. It ends with this
    process, however that ends. Raises EmbeddedRotaError.
    """
    home = Path(mkdtemp(prefix="rota-testing-"))
    home.chmod(0o755)  # as root, Postgres runs as somebody else, who must come through
    try:
        with _process(home, settings or {}) as process:
            yield _ready(process, home, start_within)
    finally:
        shutil.rmtree(home)


@contextmanager
def _process(home: Path, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Ends in its orderly way when its standard input does, which also happens when this process is killed."""
    command = [sys.executable, "-m", "rota.testing.server", str(home)]
    with (
        _log(home).open("wb") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home,
            env={**_environment(), **settings},
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()


def _ready(process: subprocess.Popen[bytes], home: Path, within: float) -> EmbeddedRota:
    end = monotonic() + within
    ready_file = home / "ready.json"
    while not ready_file.exists():
        if process.poll() is not None:
            raise EmbeddedRotaError(f"the embedded Rota ended at its start:\n{_last_lines(home)}")
        if monotonic() > end:
            raise EmbeddedRotaError(f"the embedded Rota was not up after {within:g} s:\n{_last_lines(home)}")
        sleep(LOOK_EVERY)
    facts = wire.decode(ready_file.read_bytes())
    return EmbeddedRota(
        url=facts["url"],
        token=facts["token"],
        tenant=facts["tenant"],
        nats_url=facts["natsUrl"],
        postgres_url=facts["postgresUrl"],
        data_dir=home / "data",
        log=_log(home),
    )


def _environment() -> dict[str, str]:
    """This process's, without settings that are meant for another Rota, and so that the same `rota` is imported."""
    import rota
    from rota.entrypoints.settings import Settings

    ours = {name.upper() for name in Settings.model_fields} | {"ROTA_URL", "ROTA_TOKEN"}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    here = str(Path(rota.__path__[0]).parent)
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}


def _log(home: Path) -> Path:
    return home / "rota.log"


def _last_lines(home: Path) -> str:
    return "\n".join(_log(home).read_text(errors="replace").splitlines()[-LAST_LINES:])
