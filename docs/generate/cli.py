"""Every command of `rota`, from the app itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Literal, get_args, get_origin

import typer.main
from docs.generate.markdown import cell

from rota.entrypoints.cli.app import app

HEAD: Final = """\
# Commands

Made from the commands themselves; [the command line](../command-line.md) explains how they are meant.

"""
COMMON: Final = {"--url", "--token", "--tenant", "--help", "--install-completion", "--show-completion"}

Command = Any
"""Any: Typer's own classes are not public."""


def page() -> str:
    return HEAD + "".join(_told(typer.main.get_command(app), "rota", depth=1))


def _told(command: Command, path: str, depth: int) -> Iterator[str]:
    if depth > 1:
        yield f"{'#' * min(depth, 4)} {path}\n\n{inspect.cleandoc(command.help or '').replace(chr(12), '')}\n\n"
    children = getattr(command, "commands", None)
    if children is None:
        yield from _usage(command, path)
    else:
        for name, child in children.items():
            if not child.hidden:
                yield from _told(child, f"{path} {name}", depth + 1)


def _usage(command: Command, path: str) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    words = " ".join(_argument(each) for each in arguments)
    yield f"`{path} {words}`\n\n".replace(" `", "`")
    rows = [_row(each) for each in command.params if not COMMON & set(each.opts)]
    if rows:
        yield "| | |\n| --- | --- |\n" + "".join(rows) + "\n"
    if any("--url" in each.opts for each in command.params):
        yield "Beside these `--url`, `--token` and `--tenant`, or `ROTA_URL` and `ROTA_TOKEN`.\n\n"


def _argument(parameter: Command) -> str:
    name = parameter.metavar or parameter.name.upper()
    many = "…" if parameter.nargs == -1 else ""
    return f"{name}{many}" if parameter.required else f"[{name}{many}]"


def _row(parameter: Command) -> str:
    is_argument = parameter.param_type_name == "argument"
    names = _argument(parameter) if is_argument else " / ".join([*parameter.opts, *parameter.secondary_opts])
    told = [cell(parameter.help or "")]
    if choices := _choices(parameter):
        told.append("One of " + ", ".join(f"`{each}`" for each in choices) + ".")
    if parameter.required and not is_argument:
        told.append("Needed.")
    value = parameter.default
    if value not in (None, "", False, (), []) and not callable(value) and not parameter.required:
        told.append(f"Unless said: `{getattr(value, 'value', value)}`.")
    return f"| `{names}` | {' '.join(filter(None, told))} |\n"


def _choices(parameter: Command) -> list[str]:
    described = getattr(parameter, "type_descriptor", None)
    annotation = getattr(described, "annotation", None)
    if get_origin(annotation) is Literal:
        return [str(each) for each in get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(each.value) for each in annotation]
    return []
