"""The settings, from the class that reads them."""

from __future__ import annotations

import json
from typing import Any, Final

from docs.generate.markdown import cell
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from rota.entrypoints.settings import Settings

HEAD: Final = """\
# Settings

Read once, when a process starts, from its environment or from a file `.env` in its directory. A value that cannot
be used stops the start with one line that names it. Names of more than one word are the same in both; objects are
JSON.

| setting | default | meaning |
| --- | --- | --- |
"""


def page() -> str:
    return HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{name.upper()}` | {_default(field)} | {cell(field.description or '')} |\n"


def _default(field: FieldInfo) -> str:
    value: Any = field.default  # Any: of every type
    if value in (PydanticUndefined, None, "") or value == {}:
        return ""
    if hasattr(value, "model_dump"):
        value = json.dumps(value.model_dump(), separators=(", ", ": "))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
