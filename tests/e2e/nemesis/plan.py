"""Which faults, when, for how long: drawn from a seed, so that a run that failed can be had again."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Sequence

from tests.e2e.nemesis.arsenal import KINDS
from tests.e2e.nemesis.strike import Kind, Strike

CALM = 2.0
"""Seconds at the start, and after some faults, without one."""
BUSY, LULL = 90.0, 30.0
"""In a longer run, after so many seconds of faults there are so many without: what is late then has no excuse."""
LONG_RUN = 600.0
"""Seconds from which on some faults last long."""
LONG_SHARE = 0.15


def draw_plan(seed: int, seconds: float, kinds: Sequence[str] = tuple(KINDS), *, pace: float = 5.0) -> list[Strike]:
    """About one fault every `pace` seconds; some overlap. The end is left free for the last to be over."""
    chance = random.Random(seed)
    weights = [KINDS[kind].weight for kind in kinds]
    plan: list[Strike] = []
    at, lull_at = CALM, BUSY
    while at < seconds - CALM:
        kind = chance.choices(kinds, weights)[0]
        lasts = min(_length(KINDS[kind], chance, long=seconds >= LONG_RUN), max(seconds - at, 1.0))
        plan.append(Strike(round(at, 2), kind, round(lasts, 2), chance.random()))
        overlaps = chance.random() < 0.25
        at += chance.uniform(0.1, 0.8) if overlaps else lasts + chance.uniform(0.3, 1.7) * pace
        if at > lull_at:
            at += LULL
            lull_at = at + BUSY
    return plan


def one_of_each(seed: int, *, without: Collection[str] = ()) -> list[str]:
    """For each fault of the list one kind, drawn from the seed."""
    chance = random.Random(seed)
    by_fault: dict[str, list[str]] = defaultdict(list)
    for name, kind in KINDS.items():
        if name not in without:
            by_fault[kind.fault].append(name)
    return [chance.choice(by_fault[fault]) for fault in sorted(by_fault)]


def spread_plan(seed: int, seconds: float, kinds: Sequence[str]) -> list[Strike]:
    """Each of these faults once, in an order drawn from the seed, evenly over the time."""
    chance = random.Random(seed)
    order = chance.sample(list(kinds), len(kinds))
    step = (seconds - CALM) / len(order)
    return [
        Strike(
            round(CALM + number * step, 2),
            kind,
            round(min(_length(KINDS[kind], chance), max(2 * step, KINDS[kind].lasts[0])), 2),
            chance.random(),
        )
        for number, kind in enumerate(order)
    ]


def _length(kind: Kind, chance: random.Random, *, long: bool = False) -> float:
    lasts = kind.long if long and kind.long and chance.random() < LONG_SHARE else kind.lasts
    return chance.uniform(*lasts)
