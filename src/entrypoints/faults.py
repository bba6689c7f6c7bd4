"""Named points where a test lets a process die, stop or stand still: `ROTA_FAULT_POINTS=fire.after_commit:kill:0.02,…`.

    kill    SIGKILL to itself
    stop    SIGSTOP to itself; whoever wants it back sends SIGCONT
    block   its event loop stands still for five seconds
    jam     as block, for longer than the watchdog bears

An entry `@FILE` leaves it to that file: what stands in it, as `point:action`, is done when the point is passed next,
and once: whoever obeys removes the file first.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.entrypoints.settings import SettingsError

Action: TypeAlias = Callable[[], None]

BLOCKED, JAMMED = 5.0, 30.0
"""Seconds."""

_ACTIONS: Mapping[str, Action] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "block": lambda: time.sleep(BLOCKED),
    "jam": lambda: time.sleep(JAMMED),
}


def checkpoint(spec: str) -> Checkpoint:
    """Each entry is point:action:probability or @FILE; empty is no fault at all. Raises SettingsError."""
    if not spec:
        return pass_by
    entries = [entry.strip() for entry in spec.split(",")]
    faults = dict(_fault(entry) for entry in entries if not entry.startswith("@"))
    orders = [Path(entry[1:]) for entry in entries if entry.startswith("@")]

    def at(name: str) -> None:
        if name in faults:
            action, probability = faults[name]
            if random.random() < probability:
                action()
        for order in orders:
            _obey(order, name)

    return at


def _fault(entry: str) -> tuple[str, tuple[Action, float]]:
    try:
        name, action, probability = entry.split(":")
        return name, (_ACTIONS[action], float(probability))
    except (ValueError, KeyError) as error:
        known = "|".join(_ACTIONS)
        raise SettingsError(f"ROTA_FAULT_POINTS: {entry!r} is neither point:{known}:probability nor @FILE") from error


def _obey(order: Path, name: str) -> None:
    try:
        point, _, action = order.read_text().strip().rpartition(":")
    except FileNotFoundError:
        return
    if point == name and action in _ACTIONS:
        try:
            order.unlink()
        except FileNotFoundError:
            return
        _ACTIONS[action]()
