"""What one test run showed, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from tests.e2e.checker.failover import Takeover
from tests.e2e.checker.figures import Figures, Recovery, Spread, by_kind, spread
from tests.e2e.checker.history import Fault, Finding
from tests.e2e.nemesis.arsenal import KINDS
from tests.e2e.nemesis.strike import Strike

SHOWN = 20
FAILOVER, HAND_OVER = 2.5, 0.2
"""Seconds aimed at, at the 99th percentile, from the leader's end to the next fire, and to the next leader."""
FAILOVERS = {
    "kill -9": ("kill_leader", ":kill"),
    "SIGSTOP": ("stop_leader", ":stop"),
    "blocked": ("block_leader", "jam_leader"),
}
ASKED_TO_GO = frozenset({"end_leader"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`nothing_struck` are the kinds of strikes that found no target; `wrong` is what no fault excuses."""

    seed: int
    seconds: float
    elected: bool
    plan: Sequence[Strike]
    faults: Sequence[Fault]
    nothing_struck: Sequence[str]
    findings: Sequence[Finding]
    figures: Figures
    variety: Mapping[str, Mapping[str, int]]
    accepted: int
    unknown: int
    unavailable: int
    refusals: Sequence[str]
    wrong: Sequence[str]
    endings: Spread
    """Of servers that were asked to end, in seconds."""
    complaints: Mapping[str, int]

    @property
    def passed(self) -> bool:
        return not (self.findings or self.refusals or self.wrong)

    def as_json(self) -> bytes:
        return orjson.dumps({"passed": self.passed} | asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)

    def as_text(self) -> str:
        return "\n".join(self._lines())

    def write(self, directory: Path) -> None:
        (directory / "report.json").write_bytes(self.as_json())
        (directory / "report.txt").write_text(self.as_text() + "\n")

    def _lines(self) -> Iterator[str]:
        own = self.figures
        election = "elected" if self.elected else "no election"
        yield f"{'PASSED' if self.passed else 'FAILED'}  seed {self.seed}, {self.seconds:g} s, {election}"
        yield f"faults      {len(self.faults)} of {len({fault.kind for fault in self.faults})} kinds"
        yield f"            in vain: {_counts(Counter(self.nothing_struck))}"
        yield f"due times   {own.due_times}, matched {own.matched}, missed {_counts(own.missed)}, extra {own.extra}"
        yield f"runs        {_counts(own.runs)}; attempts ended: {_counts(own.attempts_ended)}"
        yield from (f"{name:<11} {_counts(counts)}" for name, counts in self.variety.items())
        yield f"executions  {own.executions}, of one attempt again {own.executed_again}"
        yield f"given up    after their end: {len(own.given_up_after_their_end)}"
        yield from (f"            {each}" for each in own.given_up_after_their_end[:SHOWN])
        yield f"reports     rejected: {_counts(_short(own.rejected_reports))}"
        yield f"events      {own.events}; leader's terms {own.terms}"
        yield f"API         accepted {self.accepted}, unknown {self.unknown}, unavailable {self.unavailable}"
        yield f"lateness    quiet      {_spread(own.quiet)}"
        yield f"            in faults  {_spread(own.in_faults)}"
        yield f"intake      outside    {_spread(own.intake)}"
        yield from self._failover()
        yield f"SIGTERM     to a server's end, s: {_quantiles(self.endings)}"
        yield from self._recoveries()
        yield from self._trouble()

    def _failover(self) -> Iterator[str]:
        found = self.figures.takeovers
        for name, marks in FAILOVERS.items():
            own = [each for each in found if each.kind.endswith(marks) and each.kind not in ASKED_TO_GO]
            yield from _taken(name, "next fire", [(each, each.fired) for each in own], FAILOVER)
        asked = [each for each in found if each.kind in ASKED_TO_GO]
        yield from _taken("hand-over", "next leader", [(each, each.taken) for each in asked], HAND_OVER)
        yield from _taken("", "next fire", [(each, each.fired) for each in asked], None)

    def _recoveries(self) -> Iterator[str]:
        """Per kind; those that no other fault disturbed count for the longest gap, where there are such."""
        yield "fault                    no  struck   lasted   longest gap   late after"
        for kind, all_of_it in by_kind(self.figures.recoveries).items():
            calm = [each for each in all_of_it if each.alone]
            yield _row(kind, all_of_it, calm or all_of_it, is_disturbed=not calm)

    def _trouble(self) -> Iterator[str]:
        if self.complaints:
            yield "logged as errors"
            yield from (f"  {count:5d}  {text}" for text, count in Counter(self.complaints).most_common(SHOWN))
        yield from (f"REFUSED {refusal}" for refusal in self.refusals[:SHOWN])
        yield from (f"WRONG {each}" for each in self.wrong[:SHOWN])
        by_name = Counter(finding.invariant for finding in self.findings)
        yield f"findings    {_counts(by_name)}"
        for name in by_name:
            yield from [str(finding) for finding in self.findings if finding.invariant == name][:SHOWN]


def _taken(name: str, until: str, found: Sequence[tuple[Takeover, float]], aim: float | None) -> Iterator[str]:
    calm = spread([seconds for takeover, seconds in found if not takeover.disturbed])
    every = spread([seconds for _, seconds in found])
    judged = "" if aim is None else f" (aim: p99 {aim:g})"
    if every.count:
        yield f"{name:<11} to the {until}, s{judged}: {_quantiles(calm)}; beside other faults too: {_quantiles(every)}"


def _row(kind: str, all_of_it: Sequence[Recovery], judged: Sequence[Recovery], *, is_disturbed: bool) -> str:
    number = KINDS[kind].fault if kind in KINDS else ""
    lasted = max(each.seconds for each in all_of_it)
    gap, after = (max(getattr(each, name) for each in judged) for name in ("gap", "after"))
    beside = "  beside others" if is_disturbed else ""
    return f"{kind:<22} {number:>6} {len(all_of_it):5d} {lasted:7.1f} s {gap:11.1f} s {after:10.1f} s{beside}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _short(reasons: Mapping[str, int]) -> Counter[str]:
    """Without what tells one report from the next."""
    short: Counter[str] = Counter()
    for reason, count in reasons.items():
        short[reason.partition(",")[0].partition(": ")[0]] += count
    return short


def _quantiles(found: Spread) -> str:
    return f"n {found.count}, p50 {found.p50:.3f}, p99 {found.p99:.3f}, max {found.max:.3f}"


def _spread(found: Spread) -> str:
    histogram = ", ".join(f"{bound}: {count}" for bound, count in found.histogram.items())
    return f"{_quantiles(found)} s ({histogram})"
