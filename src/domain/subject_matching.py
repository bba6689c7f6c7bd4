"""Subjects of the bus and patterns over them: `*` stands for one word, `>` for the rest, which is at least one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

ANY: Final = "*"
REST: Final = ">"

Value = TypeVar("Value")


def covers(pattern: str, subject: str) -> bool:
    """Whether all that matches `subject`, which may be a pattern itself, matches `pattern`."""
    words, others = pattern.split("."), subject.split(".")
    for place, word in enumerate(words):
        if word == REST:
            return len(others) > place
        if place == len(others) or others[place] == REST or word not in (ANY, others[place]):
            return False
    return len(words) == len(others)


def disjoint(patterns: Iterable[str]) -> tuple[str, ...]:
    """Patterns of which no two match one subject, and which together match all that the given ones do; or more.

    Sorted. Of those that overlap, a common wider one takes the place.
    """
    given = set(patterns)
    wide = _merged(sorted(pattern for pattern in given if _is_wide(pattern)))
    plain = [pattern for pattern in given if not _is_wide(pattern)]
    return tuple(sorted([*wide, *(each for each in plain if not any(covers(pattern, each) for pattern in wide))]))


class SubjectMap(Generic[Value]):
    """Values by pattern; finding those for a subject costs its words, however many patterns there are."""

    def __init__(self) -> None:
        self._root: _Node[Value] = _Node()

    def add(self, pattern: str, value: Value) -> None:
        node = self._root
        for word in pattern.split("."):
            node = node.next.setdefault(word, _Node())
        node.values.append(value)

    def find(self, subject: str) -> Iterator[Value]:
        """Those of every pattern that matches."""
        nodes = [self._root]
        for word in subject.split("."):
            for node in nodes:
                if rest := node.next.get(REST):
                    yield from rest.values
            nodes = [found for node in nodes for key in (word, ANY) if (found := node.next.get(key))]
        for node in nodes:
            yield from node.values


@dataclass(slots=True)
class _Node(Generic[Value]):
    values: list[Value] = field(default_factory=list)
    next: dict[str, _Node[Value]] = field(default_factory=dict)


def _is_wide(pattern: str) -> bool:
    return not {ANY, REST}.isdisjoint(pattern.split("."))


def _merged(patterns: Iterable[str]) -> list[str]:
    apart: list[str] = []
    for pattern in patterns:
        while other := next((each for each in apart if _overlap(each, pattern)), None):
            apart.remove(other)
            pattern = _wider(pattern, other)
        apart.append(pattern)
    return apart


def _overlap(pattern: str, other: str) -> bool:
    words, others = pattern.split("."), other.split(".")
    for word, against in zip(words, others, strict=False):
        if REST in (word, against):
            return True
        if ANY not in (word, against) and word != against:
            return False
    return len(words) == len(others)


def _wider(pattern: str, other: str) -> str:
    """One that covers both, which overlap."""
    words: list[str] = []
    for word, against in zip(pattern.split("."), other.split("."), strict=False):
        if REST in (word, against):
            return ".".join([*words, REST])
        words.append(word if word == against else ANY)
    return ".".join(words)
