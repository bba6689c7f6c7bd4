"""`docs/reference/metrics.md`, from what a running server answers; a test compares them.

`python -m docs.generate.metrics` writes it anew, with ROTA_URL and ROTA_TOKEN.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx
from docs.generate.markdown import cell
from prometheus_client.parser import text_string_to_metric_families

PAGE: Final = Path(__file__).parents[1] / "reference" / "metrics.md"

_ROW: Final = re.compile(r"\| `(?P<name>\w+)` \| (?P<kind>\w+) \| (?P<labels>[^|]*) \| (?P<text>.*) \|")

HEAD: Final = """\
# Metrics

`GET /metrics` answers in Prometheus' text format; it takes any token that may read. This page is made from such an
answer: `python -m docs.generate.metrics` writes it anew.

```sh
curl -sf $ROTA_URL/metrics -H "Authorization: Bearer $ROTA_TOKEN" | grep '^rota_leader '
```

```text
rota_leader 1.0
```

| metric | kind | labels | is |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one metric. A label shows only where there is something to count."""

    kind: str
    labels: frozenset[str]
    text: str


def metrics_of(text: str) -> dict[str, Told]:
    """Rota's own, of a server's answer; those of the process are Prometheus' usual ones."""
    found = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("rota_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = frozenset(name for sample in family.samples for name in sample.labels) - {"le"}
            found[name] = Told(family.type, labels, cell(family.documentation))
    return found


def metrics_told() -> dict[str, Told]:
    """Those of the page as it is."""
    found = {}
    for line in PAGE.read_text("utf-8").splitlines() if PAGE.exists() else ():
        if row := _ROW.fullmatch(line):
            found[row["name"]] = Told(row["kind"], frozenset(re.findall(r"`(\w+)`", row["labels"])), row["text"])
    return found


def page(metrics: Mapping[str, Told]) -> str:
    rows = []
    for name, told in sorted(metrics.items()):
        labels = ", ".join(f"`{label}`" for label in sorted(told.labels))
        rows.append(f"| `{name}` | {told.kind} | {labels} | {told.text} |\n")
    return HEAD + "".join(rows)


def main() -> None:
    """Labels that the page knows and the server has nothing to count of are kept."""
    headers = {"Authorization": f"Bearer {os.environ['ROTA_TOKEN']}"}
    answer = httpx.get(f"{os.environ['ROTA_URL']}/metrics", headers=headers).raise_for_status()
    known, found = metrics_told(), metrics_of(answer.text)
    for name in found.keys() & known.keys():
        found[name] = replace(found[name], labels=found[name].labels | known[name].labels)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
