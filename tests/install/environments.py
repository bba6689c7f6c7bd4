"""Environments in which the wheel is installed with what its metadata asks for, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from zipfile import ZipFile

from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = ("LICENSE", "README.md", "lib", "migrations", "pyproject.toml", "src")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
SERVER = frozenset({"server"})


def build_wheel(directory: Path) -> Path:
    """From a copy of the sources: what an earlier build has left behind in the tree is not packed."""
    tree, dist = directory / "tree", directory / "dist"
    for name in SOURCES:
        _copy(PROJECT / name, tree / name)
    _run(*PIP, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(dist), str(tree))
    (wheel,) = dist.iterdir()
    return wheel


def metadata_of(wheel: Path) -> Metadata:
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name))


def closure(wheel: Path, extras: Collection[str]) -> Mapping[str, Distribution]:
    """All that the wheel needs with these extras on this machine, by canonical name, as this environment has it.

    Raises PackageNotFoundError for what is missing here.
    """
    found: dict[str, Distribution] = {}
    asked: set[tuple[str, frozenset[str]]] = set()
    waiting = list(_applicable(metadata_of(wheel).requires_dist or [], extras))
    while waiting:
        requirement = waiting.pop()
        name, wanted = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, wanted) in asked:
            continue
        asked.add((name, wanted))
        found[name] = distribution(name)
        waiting += _applicable((Requirement(each) for each in found[name].requires or []), wanted)
    return found


@dataclass(frozen=True, slots=True)
class Environment:
    """Its programs are in `bin`."""

    bin: Path

    def command(self, *arguments: str) -> list[str]:
        return [str(self.bin / "rota"), *arguments]

    def runs(self, *arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """The command `rota`, run to its end, which must come soon."""
        return subprocess.run(
            self.command(*arguments),
            cwd=cwd,
            env=self.variables(**settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def evaluates(self, expression: str, cwd: Path) -> str:
        """What Python there prints of it, with `rota` imported."""
        code = f"import rota; print({expression})"
        return _run(str(self.bin / "python"), "-c", code, cwd=cwd, env=self.variables()).strip()

    def variables(self, **settings: str) -> dict[str, str]:
        """Nothing of the one who runs the tests but where programs are."""
        return {"PATH": f"{self.bin}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": "/nonexistent"} | settings


def make_environment(directory: Path, wheel: Path, extras: Collection[str]) -> Environment:
    """An empty virtual environment; the wheel is installed by pip, its dependencies are links to those of this one."""
    venv.create(directory, with_pip=False, symlinks=True)
    here, there = Path(sysconfig.get_path("purelib")), _site_packages(directory)
    for file in _files_to_link(closure(wheel, extras)):
        _link(here / file, there / file)
    python = str(directory / "bin" / "python")
    _run(*PIP, "--python", python, "install", "--no-deps", "--no-index", str(wheel))
    return Environment(directory / "bin")


def _site_packages(directory: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(directory), "platbase": str(directory)}))


def _files_to_link(wanted: Mapping[str, Distribution]) -> Iterator[str]:
    """Whole directories, but where somebody who is not wanted has files too."""
    strangers = {
        file.parts[0]
        for each in distributions()
        if canonicalize_name(each.name) not in wanted
        for file in each.files or ()
    }
    files = {file for each in wanted.values() for file in each.files or ()}
    whole = {file.parts[0] for file in files} - strangers - {".."}
    yield from whole
    yield from (str(file) for file in files if file.parts[0] not in whole)


def _link(target: Path, link: Path) -> None:
    target, link = Path(os.path.normpath(target)), Path(os.path.normpath(link))
    if target.exists() and not link.exists() and not _is_script(target):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _is_script(target: Path) -> bool:
    """Whether it is a program that runs in the environment that it was installed in."""
    if target.parent != Path(sys.prefix) / "bin":
        return False
    with target.open("rb") as file:
        return file.read(2) == b"#!"


def _applicable(requirements: Iterable[Requirement], extras: Collection[str]) -> Iterator[Requirement]:
    for each in requirements:
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield each


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(source, target, symlinks=True, ignore=ignored)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Without PYTHONPATH, where the one who runs the tests may have the checkout."""
    env = env or {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
