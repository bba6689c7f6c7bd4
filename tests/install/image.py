"""The Dockerfile, read: enough of its grammar for ours."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

from tests.install.environments import PROJECT


@dataclass(slots=True)
class Stage:
    """One `FROM` and what follows it, in order, as (keyword, rest of the line)."""

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        return [rest for word, rest in self.instructions if word == keyword]

    def one(self, keyword: str) -> str:
        (only,) = self.all(keyword)
        return only

    def listed(self, keyword: str) -> list[str]:
        """What is written as a JSON list."""
        words: list[str] = json.loads(self.one(keyword))
        return words

    @property
    def variables(self) -> dict[str, str]:
        return dict(each.split("=", 1) for line in self.all("ENV") for each in shlex.split(line))

    @property
    def healthcheck(self) -> list[str]:
        words: list[str] = json.loads(self.one("HEALTHCHECK").partition("CMD ")[2])
        return words


def read_stages() -> list[Stage]:
    text = (PROJECT / "Dockerfile").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    stages: list[Stage] = []
    for line in lines.replace("\\\n", " ").splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        elif keyword and keyword != "ARG":
            stages[-1].instructions.append((keyword, rest.strip()))
    return stages


def locked(name: str) -> dict[str, frozenset[str]]:
    """The hashes of each `name==version` of that file."""
    found: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in (PROJECT / name).read_text().splitlines():
        if pin := re.match(r"([a-z0-9][\w.-]*(?:\[[\w,-]+\])?==\S+)", line):
            current = found.setdefault(re.sub(r"\[.*\]", "", pin[1]), set())
        current.update(re.findall(r"--hash=(\S+)", line))
    return {pin: frozenset(hashes) for pin, hashes in found.items()}
