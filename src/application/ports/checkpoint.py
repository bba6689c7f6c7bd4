"""Named points of a use case, where a test may stop or kill the process."""

from __future__ import annotations

from typing import Protocol


class Checkpoint(Protocol):
    def __call__(self, name: str) -> None: ...


def pass_by(name: str) -> None:
    """The checkpoint of every day: nothing happens."""
