"""Fair shares: nobody's wish is served beyond an equal part while another's is not served."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import TypeVar

Who = TypeVar("Who", bound=Hashable)
Group = TypeVar("Group", bound=Hashable)


def share(
    budget: int, wants: Mapping[Who, int], weights: Mapping[Who, float] | None = None, turn: int = 0
) -> dict[Who, int]:
    """Divides `budget` by weight (1 where none is given), nobody getting more than they want; zeros are left out.

    What cannot be divided goes one by one, to another first each `turn`.
    """
    weight = defaultdict(lambda: 1.0, weights or {})
    given = dict.fromkeys(wants, 0)
    hungry = [who for who, want in wants.items() if want > 0]
    while hungry and budget > 0:
        total = sum(weight[who] for who in hungry)
        parts = {who: min(int(budget * weight[who] / total), wants[who] - given[who]) for who in hungry}
        if not any(parts.values()):
            for who in _from(hungry, turn)[:budget]:
                given[who] += 1
            break
        for who, part in parts.items():
            given[who] += part
            budget -= part
        hungry = [who for who in hungry if given[who] < wants[who]]
    return {who: part for who, part in given.items() if part}


def share_in_groups(
    budget: int, wants: Mapping[tuple[Group, Who], int], weights: Mapping[Group, float] | None = None, turn: int = 0
) -> dict[tuple[Group, Who], int]:
    """First among the groups by weight, then evenly inside each."""
    inside: dict[Group, dict[tuple[Group, Who], int]] = defaultdict(dict)
    for key, want in wants.items():
        inside[key[0]][key] = want
    of_groups = share(budget, {group: sum(own.values()) for group, own in inside.items()}, weights, turn)
    given: dict[tuple[Group, Who], int] = {}
    for group, part in of_groups.items():
        given |= share(part, inside[group], turn=turn)
    return given


def _from(hungry: list[Who], turn: int) -> list[Who]:
    start = turn % len(hungry)
    return hungry[start:] + hungry[:start]
