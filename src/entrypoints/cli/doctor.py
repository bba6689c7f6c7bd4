"""`rota doctor`: what is wrong with this installation, and what helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rota.entrypoints.cli.calling import AsJson, Token, Url

if TYPE_CHECKING:
    from rota.entrypoints.bootstrap.doctor import Finding

STYLES = {"OK": "green", "WARNING": "yellow", "BAD": "red"}


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="Of a `rota up`.  [default: ROTA_DATA_DIR]")] = None,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Look at versions, clock, disk, database, bus and API, and tell what is wrong and its cure.

    Changes nothing. The exit status is 1 if anything is BAD.
    """
    import asyncio
    from dataclasses import asdict

    import orjson

    from rota.entrypoints.bootstrap.doctor import Patient, examine
    from rota.entrypoints.cli.fail import failing_clearly
    from rota.entrypoints.logging import configure_logging
    from rota.entrypoints.settings import read_settings

    with failing_clearly():
        settings = read_settings()
        configure_logging("ERROR", settings.log_format)
        findings = asyncio.run(examine(Patient.of(settings, data_dir, url, token)))
    if as_json:
        typer.echo(orjson.dumps([asdict(finding) for finding in findings]))
    else:
        _show(findings)
    if any(finding.verdict == "BAD" for finding in findings):
        raise typer.Exit(1)


def _show(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from rota.entrypoints.cli.tables import show

    table = Table(box=None, pad_edge=False)
    for column in ("", "about", "finding"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        told = Text(finding.detail)
        if finding.cure:
            told.append(f"\n→ {finding.cure}", style="bold")
        table.add_row(Text(finding.verdict, STYLES[finding.verdict]), finding.about, told)
    show(table)
