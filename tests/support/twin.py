"""Makes the blocking client from the async one: `python -m tests.support.twin` writes it.

`sdk/api` is written by hand, `sdk/api_sync` never: it is the same code without `async` and `await`, real methods with
their types and docstrings, as editors and documentation want them. A test tells when it is no longer the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

SDK: Final = Path(__file__).parents[2] / "src" / "entrypoints" / "sdk"
HEADER: Final = "# Made from sdk/api by tests/support/twin.py: change it there.\n"

_CHANGES: Final = (
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsyncBaseTransport\b", "BaseTransport"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\baclose\b", "close"),
    (r"\ba(read|iter_lines)\b", r"\1"),
    (r"\basyncio\b", "time"),
    (r"\brota\.entrypoints\.web_client\b", "httpx"),
    (r"\bWebClient\b", "Client"),
    (r"\bsdk\.api\b", "sdk.api_sync"),
    (r"for (\w+) in ([\w.]+):\n\s+yield \1\b", r"yield from \2"),
    (r"\bclass Rota\((.*)\):\n    \"\"\"The API of one tenant\.", r'class RotaSync(\1):\n    """As `Rota`, for programs without an event loop: the API of one tenant.\n\n   '),
    (r"\"\"\"The HTTP client\.", '"""The HTTP client that blocks.'),
)  # fmt: skip


def modules() -> list[str]:
    return sorted(path.name for path in (SDK / "api").glob("*.py") if path.read_text())


def twin_of(module: str) -> str:
    text = (SDK / "api" / module).read_text()
    for pattern, instead in _CHANGES:
        text = re.sub(pattern, instead, text)
    return _tidy(HEADER + text)


def _tidy(text: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        name = str(SDK / "api_sync" / "twin.py")
        done = subprocess.run(
            [*ruff, *command, "--stdin-filename", name, "-"], input=text, capture_output=True, text=True, check=True
        )
        text = done.stdout
    return text


if __name__ == "__main__":
    for module in modules():
        (SDK / "api_sync" / module).write_text(twin_of(module))
