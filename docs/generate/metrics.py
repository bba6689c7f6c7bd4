"""`docs/reference/metrics.md`, from what a running server answers; a test compares them.

`python -m docs.generate.metrics` writes it anew, with ROTA_URL and ROTA_TOKEN.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import httpx
from docs.generate.markdown import cell
from prometheus_client.parser import text_string_to_metric_families

PAGE: Final = Path(__file__).parents[1] / "reference" / "metrics.md"

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


def page(text: str) -> str:
    """Of Rota's own metrics; those of the process are Prometheus' usual ones."""
    rows = []
    for family in sorted(text_string_to_metric_families(text), key=lambda each: each.name):
        if family.name.startswith("rota_"):
            labels = sorted({name for sample in family.samples for name in sample.labels} - {"le"})
            name = f"{family.name}_total" if family.type == "counter" else family.name
            told = ", ".join(f"`{label}`" for label in labels)
            rows.append(f"| `{name}` | {family.type} | {told} | {cell(family.documentation)} |\n")
    return HEAD + "".join(rows)


def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ['ROTA_TOKEN']}"}
    answer = httpx.get(f"{os.environ['ROTA_URL']}/metrics", headers=headers).raise_for_status()
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(answer.text), "utf-8")


if __name__ == "__main__":
    main()
