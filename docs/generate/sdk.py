"""The Python SDK: a place for each public name; mkdocstrings fills them from the docstrings."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import rota

HEAD: Final = """\
# Python SDK

What `from rota import …` gives. Everything else in the package may change without notice. Importing `rota` loads no
library of the server's.

"""
FIRST: Final = ("Worker", "JobContext", "Retry", "Abort", "Rota", "RotaSync")
TWIN: Final = "RotaSync"
TWIN_TOLD: Final = """\
    options:
      members: false

It has all calls of `Rota`, with the same names and parameters.

"""


def page() -> str:
    homes = _homes()
    names = [*FIRST, *(name for name in sorted(homes) if name not in FIRST)]
    return HEAD + "".join(f"::: {homes[name]}\n{TWIN_TOLD if name == TWIN else chr(10)}" for name in names)


def _homes() -> dict[str, str]:
    """Where each public name is defined: the package itself loads them only when they are used."""
    tree = ast.parse(Path(rota.__file__ or "").read_text("utf-8"))
    homes = {
        alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rota.")
        for alias in node.names
    }
    for name in rota.__all__:
        public = getattr(rota, name)
        if isinstance(public, type):
            homes[name] = f"{public.__module__}.{public.__qualname__}"
    return {name: homes[name] for name in rota.__all__}
