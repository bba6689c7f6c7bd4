"""YAML by the core schema of YAML 1.2, which is JSON with fewer signs, and with `<<`.

PyYAML by itself reads YAML 1.1, where the country `NO` is false, `17:30` a number and `2026-12-24` no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Json: TypeAlias = Any  # what JSON can say

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None} | {
    spelt: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for spelt in (word, word.title(), word.upper())
}
_PLAIN = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"})
_MERGE = "<<"


class YamlError(Exception):
    """One line, with line and column where they are known."""


def read_yaml(text: str) -> list[Json]:
    """The documents in a text, empty ones aside. Raises YamlError."""
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.BaseLoader))
    except yaml.MarkedYAMLError as error:
        raise YamlError(_at(error.problem_mark, str(error.problem or error.context))) from error
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from error
    values = [_Reading().value(node) for node in nodes if node is not None]
    return [value for value in values if value is not None]


class _Reading:
    """One document. A node that is used again is the same value again."""

    def __init__(self) -> None:
        self._known: dict[int, Json] = {}
        self._open: set[int] = set()

    def value(self, node: Node) -> Json:
        if id(node) in self._open:
            raise _wrong(node, "contains itself")
        if id(node) not in self._known:
            self._open.add(id(node))
            self._known[id(node)] = self._read(node)
            self._open.remove(id(node))
        return self._known[id(node)]

    def _read(self, node: Node) -> Json:
        if node.tag not in _PLAIN:
            raise _wrong(node, f"{node.tag}: tags are not read")
        if isinstance(node, ScalarNode):
            return _plain(node.value) if node.style is None else node.value
        if isinstance(node, SequenceNode):
            return [self.value(each) for each in node.value]
        assert isinstance(node, MappingNode)
        return self._object(node)

    def _object(self, node: MappingNode) -> dict[str, Json]:
        merged: dict[str, Json] = {}
        said: dict[str, Json] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise _wrong(key, "a name must be a text")
            if key.value == _MERGE and key.style is None:
                for each in self._merged(value):
                    merged = each | merged
            elif key.value in said:
                raise _wrong(key, f"{key.value}: is said twice")
            else:
                said[key.value] = self.value(value)
        return merged | said

    def _merged(self, node: Node) -> Iterator[dict[str, Json]]:
        """The first of several wins."""
        for each in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(each, MappingNode):
                raise _wrong(each, "<<: must be an object")
            yield self.value(each)


def _plain(text: str) -> Json:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _wrong(node: Node, what: str) -> YamlError:
    return YamlError(_at(node.start_mark, what))


def _at(mark: Any, what: str) -> str:  # Any: PyYAML's Mark
    return f"{what} (line {mark.line + 1}, column {mark.column + 1})" if mark else what
