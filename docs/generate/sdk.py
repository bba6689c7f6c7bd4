"""The Python SDK: a place for each public name; mkdocstrings fills them from the docstrings."""

from __future__ import annotations

from typing import Final

import rota

HEAD: Final = """\
# Python SDK

What `from rota import …` gives. Everything else in the package may change without notice. Importing `rota` loads no
library of the server's.

"""


def page() -> str:
    return HEAD + "".join(f"::: {_home(name)}\n\n" for name in rota.__all__)


def _home(name: str) -> str:
    """Where it is defined: the package itself has only its name until it is used."""
    public = getattr(rota, name)
    return f"{public.__module__}.{public.__qualname__}"
