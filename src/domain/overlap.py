"""What happens when a schedule is due and runs of it have not ended yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rota.domain.misfire import DueTime


class Overlap(StrEnum):
    ALLOW = "ALLOW"
    SKIP = "SKIP"
    QUEUE = "QUEUE"
    QUEUE_ONE = "QUEUE_ONE"
    REPLACE = "REPLACE"


@dataclass(frozen=True, slots=True)
class Going:
    """The schedule's runs that have not ended: how many there are, how many of them wait for the others (`parked`),
    and how many are RUNNING.
    """

    unfinished: int = 0
    parked: int = 0
    running: int = 0


NONE_GOING = Going()
OVERLAP = "OVERLAP"
"""Why a run was skipped whose schedule does not let its runs overlap."""

MERGED = "MERGED"
"""Why a run was skipped whose due time a calendar moved onto that of an earlier one."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """Every due time is in exactly one of the three, each in order. `replaces`: what is going is to be cancelled."""

    go: tuple[DueTime, ...] = ()
    park: tuple[DueTime, ...] = ()
    skip: tuple[DueTime, ...] = ()
    replaces: bool = False


def arrange(policy: Overlap, due: Sequence[DueTime], going: Going) -> Arranged:
    """Sorts due times that shall all fire now; the runs of the earlier count for the later ones."""
    due = tuple(due)
    if policy is Overlap.ALLOW or not due:
        return Arranged(go=due)
    if policy is Overlap.REPLACE:
        latest, passed = due[-1:], due[:-1]
        waits = going.running > 0
        return Arranged((), latest, passed, True) if waits else Arranged(latest, (), passed, going.unfinished > 0)
    go = due[:1] if going.unfinished == 0 else ()
    rest = due[len(go) :]
    if policy is Overlap.SKIP:
        return Arranged(go, (), rest)
    if policy is Overlap.QUEUE:
        return Arranged(go, rest)
    places = 1 if going.parked == 0 else 0
    return Arranged(go, rest[:places], rest[places:])
