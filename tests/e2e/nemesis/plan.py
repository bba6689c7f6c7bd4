"""Which faults, when, for how long: drawn from a seed, so that a run that failed can be had again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

# How often, against each other, and for how many seconds.
KINDS: dict[str, tuple[int, tuple[float, float]]] = {
    "kill_leader": (4, (0.2, 3)),
    "stop_leader": (4, (1, 8)),
    "kill_server": (2, (0.2, 3)),
    "stop_server": (2, (1, 6)),
    "kill_worker": (4, (0.2, 5)),
    "stop_worker": (4, (1, 14)),
    "kill_nats": (3, (0.2, 5)),
    "stop_nats": (2, (1, 8)),
    "wipe_nats": (2, (0.2, 3)),
    "delete_work": (1, (0, 0)),
    "delete_reports": (1, (0, 0)),
    "delete_events": (1, (0, 0)),
    "delete_lane": (2, (0, 0)),
    "stop_postgres": (2, (0.2, 4)),
    "kill_postgres": (1, (0.2, 4)),
}
CALM = 2.0
"""Seconds at the start, and after some faults, without one."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault of the plan, seconds after the start of the load. Kinds that are over at once last 0."""

    at: float
    kind: str
    lasts: float
    draw: float
    """In [0, 1): which worker, stream or lane is meant."""


def draw_plan(seed: int, seconds: float, kinds: Sequence[str] = tuple(KINDS), *, pace: float = 5.0) -> list[Strike]:
    """About one fault every `pace` seconds; some overlap. The end is left free for the last to be over."""
    chance = random.Random(seed)
    weights = [KINDS[kind][0] for kind in kinds]
    plan = []
    at = CALM
    while at < seconds - CALM:
        kind = chance.choices(kinds, weights)[0]
        lasts = min(chance.uniform(*KINDS[kind][1]), max(seconds - at, 1.0))
        plan.append(Strike(round(at, 2), kind, round(lasts, 2), chance.random()))
        overlaps = chance.random() < 0.25
        at += chance.uniform(0.1, 0.8) if overlaps else lasts + chance.uniform(0.3, 1.7) * pace
    return plan


def spread_plan(seed: int, seconds: float, kinds: Sequence[str]) -> list[Strike]:
    """Each of these faults once, in an order drawn from the seed, evenly over the time."""
    chance = random.Random(seed)
    order = chance.sample(list(kinds), len(kinds))
    step = (seconds - CALM) / len(order)
    return [
        Strike(
            round(CALM + number * step, 2),
            kind,
            round(min(chance.uniform(*KINDS[kind][1]), 2 * step), 2),
            chance.random(),
        )
        for number, kind in enumerate(order)
    ]
