"""What commands are told in files and by `--set`: YAML (of which JSON is a part), read without guessing."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = Any  # what JSON can say

STDIN = "-"


class DocumentError(Exception):
    """One line: the file, and what is wrong in it."""


def read_document(file: str) -> Json:
    """The one value in a file, `-` being standard input; several YAML documents are a list of them.

    Raises DocumentError, also for a name that an object of YAML says twice.
    """
    text = _read(file)
    try:
        return orjson.loads(text)
    except ValueError as error:
        if file.endswith(".json"):
            raise DocumentError(f"{file}: not JSON: {error}") from error
    documents = _read_yaml(file, text)
    if not documents:
        raise DocumentError(f"{file}: is empty")
    return documents[0] if len(documents) == 1 else documents


def read_bytes(file: str) -> bytes:
    """Raises DocumentError."""
    try:
        return sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        raise DocumentError(f"{file}: {error.strerror or error}") from error


def write_bytes(file: str | None, content: bytes) -> None:
    """To standard output where there is no file. Raises DocumentError."""
    if file is None or file == STDIN:
        sys.stdout.buffer.write(content)
        return
    try:
        Path(file).write_bytes(content)
    except OSError as error:
        raise DocumentError(f"{file}: {error.strerror or error}") from error


def read_definitions(file: str) -> tuple[list[dict[str, Json]], bool]:
    """The objects in a file, and whether it was a list of them. A name that is missing is null, for the server to
    refuse. Raises DocumentError.
    """
    objects, is_list = read_objects(file)
    return [{"name": None, **each} for each in objects], is_list


def read_objects(file: str) -> tuple[list[dict[str, Json]], bool]:
    """As `read_definitions`, without names."""
    value = read_document(file)
    objects = value if isinstance(value, list) else [value]
    for index, each in enumerate(objects):
        if not isinstance(each, dict):
            where = f"{index}: " if isinstance(value, list) else ""
            raise DocumentError(f"{file}: {where}must be an object")
    return objects, isinstance(value, list)


def read_object(file: str) -> dict[str, Json]:
    """Raises DocumentError."""
    objects, _ = read_objects(file)
    if len(objects) != 1:
        raise DocumentError(f"{file}: must be one object")
    return objects[0]


def read_patch(file: str | None, said: Iterable[str]) -> dict[str, Json]:
    """What a file and then `--set a.b=value` say; a value that is no JSON is a text. Raises DocumentError."""
    patch = {} if file is None else read_object(file)
    for each in said:
        path, sign, text = each.partition("=")
        if not sign or not all(path.split(".")):
            raise DocumentError(f"--set {each}: must be FIELD=VALUE, as in misfire.graceSec=60")
        _put(patch, path.split("."), _value(text))
    if not patch:
        raise DocumentError("nothing is to change: give FILE or --set FIELD=VALUE")
    return patch


def _put(patch: dict[str, Json], path: list[str], value: Json) -> None:
    for name in path[:-1]:
        inner = patch.get(name)
        patch[name] = inner if isinstance(inner, dict) else {}
        patch = patch[name]
    patch[path[-1]] = value


def _value(text: str) -> Json:
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _read(file: str) -> str:
    try:
        return read_bytes(file).decode()
    except ValueError as error:
        raise DocumentError(f"{file}: {error}") from error


def _read_yaml(file: str, text: str) -> list[Json]:
    from rota.entrypoints.cli.yaml_values import YamlError, read_yaml

    try:
        return read_yaml(text)
    except YamlError as error:
        raise DocumentError(f"{file}: not YAML: {error}") from error
