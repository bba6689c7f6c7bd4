"""`python -m tests.e2e.nemesis --minutes 10 --seed 7 --out DIR`: a long run, for `make chaos`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from datetime import timedelta
from pathlib import Path
from time import monotonic

from tests.e2e.nemesis.arsenal import KINDS
from tests.e2e.nemesis.campaign import Campaign
from tests.e2e.nemesis.plan import draw_plan


def main() -> int:
    given = _arguments()
    seconds = given.minutes * 60
    began = monotonic()
    campaign = Campaign(
        directory=given.out.resolve(),
        seed=given.seed,
        seconds=seconds,
        plan=draw_plan(given.seed, seconds, given.kinds.split(","), pace=given.pace),
        elected=given.election == "on",
        points=given.points,
        recovery=timedelta(seconds=given.recovery),
        tell=lambda text: print(f"{monotonic() - began:7.1f} {text}", flush=True),
    )
    report = asyncio.run(campaign.carry_out())
    report.write(given.out)
    print(report.as_text())
    return 0 if report.passed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nemesis", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--out", type=Path, required=True, help="a new or empty directory")
    parser.add_argument("--election", choices=("on", "off"), default="on")
    parser.add_argument("--kinds", default=",".join(KINDS), help="faults to draw from, with commas")
    parser.add_argument("--pace", type=float, default=5.0, help="seconds from one fault to the next, about")
    parser.add_argument("--points", default="", help="what ROTA_FAULT_POINTS says beside, as fire.begun:kill:0.003")
    parser.add_argument("--recovery", type=float, default=15.0, help="seconds after a fault in which it may still show")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
