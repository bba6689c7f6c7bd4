"""Whom a server runs as. Postgres refuses root, and in containers and CI root is who we are."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534

# access(2) judges by the real user and knows what mode bits do not tell: ACLs, mounts without exec.
_ASK = """
import os, sys
uid, gid = map(int, sys.argv[1:3])
os.setgroups([gid]); os.setgid(gid); os.setuid(uid)
print(*(path for path in sys.argv[3:] if not os.access(path, os.X_OK)), sep="\\0", end="")
"""


@dataclass(frozen=True, slots=True)
class User:
    """An unprivileged user that a child becomes."""

    uid: int
    gid: int

    def __str__(self) -> str:
        known = _entry(self.uid)
        return known.pw_name if known else str(self.uid)

    def take(self, tree: Path) -> None:
        """Makes a whole tree theirs, if its root is not already."""
        if tree.stat().st_uid == self.uid:
            return
        for directory, _, files in os.walk(tree, topdown=False):
            for name in files:
                os.chown(Path(directory) / name, self.uid, self.gid, follow_symlinks=False)
            os.chown(directory, self.uid, self.gid)

    def cannot_reach(self, paths: Iterable[Path]) -> list[Path]:
        """Those of `paths` (directories and programs) that this user may not enter or run. Only root may ask."""
        ask = [sys.executable, "-I", "-S", "-c", _ASK, str(self.uid), str(self.gid), *map(str, paths)]
        answer = subprocess.run(ask, stdout=subprocess.PIPE, text=True, check=True, timeout=30, cwd="/").stdout
        return [Path(path) for path in answer.split("\0") if path]


def unprivileged(directory: Path) -> User | None:
    """None where we are not root: then a child is simply ourselves.

    Else the first owner who is not root, going from `directory` upwards (what exists of it): a place that somebody
    prepared stays theirs. `nobody` where there is none. An owner without a name does not count, as initdb wants one.
    """
    if os.geteuid() != 0:
        return None
    owners = (path.stat().st_uid for path in (directory, *directory.parents) if path.exists())
    named = (entry for uid in owners if uid != 0 and (entry := _entry(uid)))
    entry = next(named, None) or _entry(NOBODY)
    return User(entry.pw_uid, entry.pw_gid) if entry else User(NOBODY, NOBODY)


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None
