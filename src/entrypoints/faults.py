"""Named points where a test lets a process die or stop: `ROTA_FAULT_POINTS=fire.after_commit:kill:0.02,…`."""

from __future__ import annotations

import os
import random
import signal

from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.entrypoints.settings import SettingsError

_ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def checkpoint(spec: str) -> Checkpoint:
    """Each entry is point:action:probability; empty is no fault at all. Raises SettingsError."""
    if not spec:
        return pass_by
    faults = dict(map(_fault, spec.split(",")))

    def at(name: str) -> None:
        if name in faults:
            action, probability = faults[name]
            if random.random() < probability:
                os.kill(os.getpid(), action)

    return at


def _fault(entry: str) -> tuple[str, tuple[signal.Signals, float]]:
    try:
        name, action, probability = entry.strip().split(":")
        return name, (_ACTIONS[action], float(probability))
    except (ValueError, KeyError) as error:
        raise SettingsError(f"ROTA_FAULT_POINTS: {entry!r} is not point:kill|stop:probability") from error
