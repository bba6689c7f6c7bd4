"""How help texts are laid out: on any width, on a terminal and in a pipe."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TypedDict

LINE = 62


class Texts(TypedDict):
    """What Typer is told of a command: the help, a word on it for the list of commands, and what stands below."""

    help: str
    short_help: str
    epilog: str | None


def help_text(doc: str | None) -> str:
    """A docstring with a line for each paragraph, so that it is broken where the terminal ends."""
    return "\n\n".join(" ".join(each.split()) for each in inspect.cleandoc(doc or "").split("\n\n"))


def texts(doc: str | None, examples: Sequence[str]) -> Texts:
    return {"help": help_text(doc), "short_help": brief(doc), "epilog": examples_text(examples)}


def brief(doc: str | None) -> str:
    """The first sentence, or as much of it as is one thought and fits on a line."""
    sentence = help_text(doc).partition("\n")[0].split(". ")[0].rstrip(".")
    for sign in ("; ", ": ", ", "):
        if len(sentence) > LINE:
            sentence = sentence.partition(sign)[0]
    return f"{sentence}."


def examples_text(examples: Sequence[str]) -> str | None:
    """A line for each; \\b keeps them from being joined to one."""
    return "\n  ".join(("\b\nExamples:", *examples)) if examples else None
