"""Ends servers that have outlived the process that started them.

Normally none does (`launch.py`), but one may still be on its way down when the next start comes, and on systems other
than Linux nothing told it to go. Whoever calls this holds the lock of the server's directory, so a server that works
there has no owner any more. It is found by its command line and not by a pid file: those are late, or stale, or name
a number that somebody else has by now.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL, Signals
from time import monotonic

from rota.infrastructure.embedded.child import LOOK_EVERY, EmbeddedServerError


async def end_servers(program: str, files: Path, *, endings: Sequence[Signals], grace: timedelta) -> None:
    """Returns when no process `program` with `files` as a word of its command line is left."""

    def is_one(words: list[str]) -> bool:
        return Path(words[0]).name == program and str(files) in words

    await _end(is_one, endings, grace)


async def end_titled(title: str, *, endings: Sequence[Signals], grace: timedelta) -> None:
    """Returns when no process whose command line begins with `title` is left."""
    await _end(lambda words: " ".join(words).startswith(title), endings, grace)


async def _end(is_one: Callable[[list[str]], bool], endings: Sequence[Signals], grace: timedelta) -> None:
    for ending in (*endings, SIGKILL):
        for pid in _running(is_one):
            _signal(pid, ending)
        if await _gone(is_one, grace):
            return


async def _gone(is_one: Callable[[list[str]], bool], within: timedelta) -> bool:
    deadline = monotonic() + within.total_seconds()
    while True:
        if not any(_running(is_one)):
            return True
        if monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_EVERY)


def _signal(pid: int, ending: Signals) -> None:
    try:
        os.kill(pid, ending)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise EmbeddedServerError(f"process {pid} of another user still works in this data directory") from error


def _running(is_one: Callable[[list[str]], bool]) -> Iterator[int]:
    lines = _proc_command_lines() if sys.platform == "linux" else _ps_command_lines()
    return (pid for pid, words in lines if is_one(words))


def _proc_command_lines() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), os.fsdecode((entry / "cmdline").read_bytes()).split("\0")


def _ps_command_lines() -> Iterator[tuple[int, list[str]]]:
    """`ps` does not tell where a word ends: a directory with a space in its name is not recognised."""
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], stdout=subprocess.PIPE, text=True, check=True)
    for line in listing.stdout.splitlines():
        pid, *words = line.split()
        yield int(pid), words or [""]
