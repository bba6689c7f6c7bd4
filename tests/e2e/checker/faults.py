"""Fault intervals, and what they excuse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.e2e.checker.history import Fault


@dataclass(frozen=True, slots=True)
class Span:
    began: datetime
    ended: datetime

    def touches(self, began: datetime, ended: datetime) -> bool:
        return began <= self.ended and ended >= self.began


def excuses(faults: Iterable[Fault], recovery: timedelta) -> list[Span]:
    """Each fault and the time after it in which it may still show; what overlaps is one. Those at the edge excuse none."""
    merged: list[Span] = []
    for fault in sorted((each for each in faults if not each.at_edge), key=lambda each: each.began):
        span = Span(fault.began, fault.ended + recovery)
        if merged and span.began <= merged[-1].ended:
            span = Span(merged[-1].began, max(merged.pop().ended, span.ended))
        merged.append(span)
    return merged


def is_excused(spans: Sequence[Span], due: datetime, acted: datetime) -> bool:
    """Late because of a fault, and caught up within the time allowed after it."""
    return any(span.touches(due, acted) and acted <= span.ended for span in spans)


def are_touched(spans: Sequence[Span], began: datetime, ended: datetime) -> bool:
    return any(span.touches(began, ended) for span in spans)


def is_alone(fault: Fault, faults: Sequence[Fault], began: datetime, ended: datetime) -> bool:
    """No other fault than those at the edge goes on in that time."""
    return not any(
        other is not fault and not other.at_edge and other.began <= ended and other.ended >= began for other in faults
    )
