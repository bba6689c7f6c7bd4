"""The directory of one embedded server, and the few things in it that must outlast a restart."""

import fcntl
import os
import random
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rota.infrastructure.embedded.child import EmbeddedServerError

HOST = "127.0.0.1"

# Below the range that Linux and macOS give to outgoing connections: while a server is down, a client that tries again
# and again could else be given that very port, and keep the server from it (or even connect to itself).
PORTS = range(15_000, 32_000)


class Home:
    """A directory that at most one process uses at a time. The kernel drops the lock when that process ends.

    It stays ours; a child that runs as another user may pass through it to what is its own, and read nothing else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: BinaryIO | None = None

    def open(self) -> None:
        """Makes the directory and locks it; nothing if we hold it already.

        Raises EmbeddedServerError if another process holds it, or the directory cannot be made.
        """
        if self._lock is not None:
            return
        try:
            _make(self.path)
            self._lock = _locked(self.path)
        except OSError as error:
            raise EmbeddedServerError(f"cannot use {self.path}: {error.strerror}") from error

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def secret(self, name: str) -> str:
        """The password kept under this name; made at first."""
        return self._kept(name) or self._keep(name, secrets.token_urlsafe(24))

    def port(self, wanted: int | None) -> int:
        """`wanted`; else the one it had last time if that is still free; else a new one.

        Raises EmbeddedServerError if `wanted` is taken.
        """
        if wanted is not None and not _is_free(wanted):
            raise EmbeddedServerError(f"port {wanted} on {HOST} is taken")
        last = int(self._kept("port") or 0)
        port = wanted or (last if last and _is_free(last) else _free_port())
        if port != last:
            self._keep("port", str(port))
        return port

    def write(self, name: str, content: str) -> Path:
        """Writes a file that only we may read: whole, or not at all."""
        path = self.path / name
        new = path.with_name(f"{name}.new")
        with open(new, "w", encoding="utf-8", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return new.replace(path)

    def _kept(self, name: str) -> str:
        path = self.path / name
        return path.read_text().strip() if path.exists() else ""

    def _keep(self, name: str, value: str) -> str:
        self.write(name, value)
        return value


def _make(path: Path) -> None:
    """What root makes, an unprivileged child must be able to pass through, whatever our umask."""
    for missing in reversed([parent for parent in (path, *path.parents) if not parent.exists()]):
        missing.mkdir(mode=0o700)
        if os.geteuid() == 0:
            missing.chmod(0o711)


def _locked(path: Path) -> BinaryIO:
    lock = open(path / "lock", "a+b", opener=_private)  # noqa: SIM115  # closing it is what unlocks
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().decode()
        lock.close()
        raise EmbeddedServerError(f"{path} is in use by another process (pid {holder})") from None
    lock.truncate(0)
    lock.write(str(os.getpid()).encode())
    lock.flush()
    return lock


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False


def _free_port() -> int:
    return next(port for port in random.sample(PORTS, len(PORTS)) if _is_free(port))
