"""One page, block after block, as a reader would try it: in a directory of its own, as a tenant of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import IO, Any

import httpx
import yaml
from tests.docs.blocks import Block
from tests.docs.likeness import differences, json_differences

LEASH = Path(__file__).parents[1] / "e2e" / "nemesis" / "leash.py"
PATIENCE = 60.0
LOOK_EVERY = 0.02
ENDING = 10.0
HTTP_OK = 300

# Variables that a block sets are there in the next one, and so is the directory.
_SHELL = """\
set -euo pipefail
[ -e .shell/state ] && source .shell/state
trap 'export -p > .shell/state' EXIT
set -a
{text}
"""


@dataclass(slots=True)
class Going:
    """A command in the background, and the file that it writes to."""

    block: Block
    process: subprocess.Popen[bytes]
    out: Path


@dataclass(slots=True)
class Play:
    """`printed` is what the last block that ran had to say."""

    directory: Path
    environment: Mapping[str, str]
    printed: str = ""
    going: list[Going] = field(default_factory=list)
    written: dict[str, Block] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    def play(self, block: Block) -> None:
        """Raises AssertionError where the block does not do what the page says."""
        if block.note("not run") is not None:
            return
        if block.title:
            self._write(block)
        elif block.language in ("sh", "bash"):
            self._run_shell(block)
        elif block.language == "console":
            self._run_console(block)
        elif block.language == "python":
            self._run([sys.executable, "-c", block.text], block)
        elif block.language == "text":
            _agree(block, differences(block.text, self.printed), self.printed)
        elif block.language in ("json", "yaml"):
            self._take(block)
        else:
            raise AssertionError(f"{block.place}: nobody knows how to run {block.language!r}")

    def judge(self) -> None:
        """At the end of the page. What was written must have been used: else nobody has tried it."""
        for going in self.going:
            status = going.process.poll()
            assert status in (None, 0), f"{going.block.place} ended with {status}:\n{going.out.read_text()}"
        said = "\n".join(self.commands)
        for title, block in self.written.items():
            reader = "pytest" if title == "conftest.py" else Path(title).stem
            assert re.search(rf"\b{re.escape(reader)}\b", said), f"{block.place}: nothing on the page uses {title}"

    def end(self) -> None:
        for going in self.going:
            if going.process.poll() is None:
                os.killpg(going.process.pid, signal.SIGTERM)
        for going in self.going:
            try:
                going.process.wait(ENDING)
            except subprocess.TimeoutExpired:
                os.killpg(going.process.pid, signal.SIGKILL)
                going.process.wait()

    def _write(self, block: Block) -> None:
        path = self.directory / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        self.written[block.title] = block
        self.printed = ""
        if block.language == "python":
            compile(block.text, block.title, "exec")

    def _run_shell(self, block: Block) -> None:
        self.commands.append(block.text)
        command = ["bash", "-c", _SHELL.format(text=block.text)]
        if (until := block.note("in the background")) is None:
            self._run(command, block)
        else:
            self._start(command, block, until)

    def _run_console(self, block: Block) -> None:
        """Lines that begin with `$ ` are commands, what follows each is what it prints."""
        for line in re.split(r"^\$ ", block.text, flags=re.MULTILINE):
            if line.strip():
                command, _, shown = line.partition("\n")
                while command.endswith("\\"):
                    more, _, shown = shown.partition("\n")
                    command += "\n" + more
                self.commands.append(command)
                self._run(["bash", "-c", _SHELL.format(text=command)], block)
                _agree(block, differences(shown, self.printed), self.printed)

    def _run(self, command: list[str], block: Block) -> None:
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.printed = done.stdout
        failed = done.returncode != 0
        assert failed is (block.note("fails") is not None), (
            f"{block.place} ended with {done.returncode}:\n{done.stdout}"
        )

    def _start(self, command: list[str], block: Block, until: str) -> None:
        out = self.directory / ".shell" / f"{block.line}.out"
        leashed = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), "/usr/bin/env", *command]
        with out.open("wb") as file:
            going = Going(block, _open(leashed, self.directory, self._environment(), file), out)
        self.going.append(going)
        deadline = time.monotonic() + PATIENCE
        while until not in out.read_text(errors="replace"):
            assert going.process.poll() is None, f"{block.place} has ended:\n{out.read_text()}"
            assert time.monotonic() < deadline, f"{block.place} has not said {until!r}:\n{out.read_text()}"
            time.sleep(LOOK_EVERY)

    def _take(self, block: Block) -> None:
        """A body that the API accepts, or an answer that was just seen."""
        text = Template(block.text).safe_substitute(self._environment())
        value = json.loads(text) if block.language == "json" else yaml.safe_load(text)
        for method in ("POST", "PATCH"):
            if (path := block.note(method)) is not None:
                self.printed = self._ask(method, path, value, block)
                return
        assert block.note("answer") is not None, f"{block.place}: the page does not say whose this is, or what reads it"
        _agree(block, json_differences(value, json.loads(_last_line(self.printed))), self.printed)

    def _ask(self, method: str, path: str, body: object, block: Block) -> str:
        known = self._environment()
        answer = httpx.request(
            method,
            f"{known['ROTA_URL']}/api/v1{Template(path).substitute(known)}",
            json=body,
            headers={"Authorization": f"Bearer {known['ROTA_TOKEN']}"},
            timeout=PATIENCE,
        )
        assert answer.status_code < HTTP_OK, f"{block.place}: {answer.text}"
        return answer.text

    def _environment(self) -> dict[str, str]:
        """With the variables that earlier blocks have set."""
        state = self.directory / ".shell" / "state"
        found = dict(self.environment)
        if state.exists():
            for line in state.read_text().splitlines():
                words = shlex.split(line) if line.startswith("declare -x ") and line.count('"') == 2 else []
                name, sign, value = (words[-1] if words else "").partition("=")
                if sign:
                    found[name] = value
        return found


@contextmanager
def a_play(directory: Path, environment: Mapping[str, str]) -> Iterator[Play]:
    (directory / ".shell").mkdir()
    play = Play(directory, environment)
    try:
        yield play
    finally:
        play.end()


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _open(command: list[str], directory: Path, environment: dict[str, str], out: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _agree(block: Block, found: Iterator[str], printed: str = "") -> None:
    lines: list[Any] = list(found)
    assert not lines, f"{block.place}: " + "; ".join(map(str, lines)) + f"\nprinted was:\n{printed}"
