"""What one test run showed, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from tests.e2e.checker.figures import Figures, Lateness
from tests.e2e.checker.history import Fault, Finding
from tests.e2e.nemesis.plan import Strike

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    seed: int
    seconds: float
    elected: bool
    plan: Sequence[Strike]
    faults: Sequence[Fault]
    findings: Sequence[Finding]
    figures: Figures
    accepted: int
    unknown: int
    unavailable: int
    refusals: Sequence[str]
    unclean: Sequence[str]

    @property
    def passed(self) -> bool:
        return not (self.findings or self.refusals or self.unclean)

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
        yield f"faults      {_counts(Counter(fault.kind for fault in self.faults))}"
        yield f"due times   {own.due_times}, matched {own.matched}, missed {_counts(own.missed)}, extra {own.extra}"
        yield f"runs        {_counts(own.runs)}; attempts ended: {_counts(own.attempts_ended)}"
        yield f"executions  {own.executions}, of one attempt again {own.executed_again}"
        yield f"given up    after their end: {len(own.given_up_after_their_end)}"
        yield from (f"            {each}" for each in own.given_up_after_their_end[:SHOWN])
        yield f"reports     rejected: {_counts(_short(own.rejected_reports))}"
        yield f"events      {own.events}; leader's terms {own.terms}"
        yield f"API         accepted {self.accepted}, unknown {self.unknown}, unavailable {self.unavailable}"
        yield f"lateness    quiet      {_lateness(own.quiet)}"
        yield f"            in faults  {_lateness(own.in_faults)}"
        yield "fault               target                  lasted    gap  late after"
        for each in own.recoveries:
            yield f"{each.kind:<19} {each.target[:22]:<22} {each.seconds:6.1f} s {each.gap:5.1f} s {each.after:9.1f} s"
        yield from (f"REFUSED {refusal}" for refusal in self.refusals[:SHOWN])
        yield from (f"UNCLEAN {each}" for each in self.unclean)
        by_name = Counter(finding.invariant for finding in self.findings)
        yield f"findings    {_counts(by_name)}"
        for name in by_name:
            yield from [str(finding) for finding in self.findings if finding.invariant == name][:SHOWN]


def _counts(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _short(reasons: object) -> Counter[str]:
    """Without what tells one report from the next."""
    assert isinstance(reasons, dict)
    short: Counter[str] = Counter()
    for reason, count in reasons.items():
        short[reason.partition(",")[0]] += count
    return short


def _lateness(lateness: Lateness) -> str:
    histogram = ", ".join(f"{bound}: {count}" for bound, count in lateness.histogram.items())
    return f"n {lateness.count}, p50 {lateness.p50:.3f}, p99 {lateness.p99:.3f}, max {lateness.max:.3f} s ({histogram})"
