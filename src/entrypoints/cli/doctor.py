"""`rota doctor`: what is wrong with this installation, and what helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rota.entrypoints.cli.calling import Token, Url

if TYPE_CHECKING:
    from rota.entrypoints.bootstrap.diagnosis import Finding


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="Of a `rota up`.  [default: ROTA_DATA_DIR]")] = None,
    url: Url = "",
    token: Token = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="A list of {about, verdict, detail, cure}; verdicts: OK, WARNING, BAD.")
    ] = False,
) -> None:
    """Tell what is wrong with an installation, and what helps.

    Looks at versions, time zone data, disk, clocks, database, schema, bus, streams, API and token: at what it is told
    of by POSTGRES_URL, NATS_URL, ROTA_URL, ROTA_TOKEN and the data directory. What it could not look at is a WARNING.
    Changes nothing. The exit status is 1 if anything is BAD.
    """
    import asyncio
    from dataclasses import asdict

    import orjson

    from rota.entrypoints.bootstrap.doctor import Patient, examine
    from rota.entrypoints.cli.fail import FAILED, failing_clearly
    from rota.entrypoints.logging import configure_logging
    from rota.entrypoints.settings import read_settings

    with failing_clearly():
        settings = read_settings()
        configure_logging("CRITICAL", settings.log_format)
        findings = asyncio.run(examine(Patient.of(settings, data_dir, url, _token(token))))
    if as_json:
        typer.echo(orjson.dumps([asdict(finding) for finding in findings]))
    else:
        _show(findings)
    if any(finding.verdict == "BAD" for finding in findings):
        raise typer.Exit(FAILED)


def _token(said: str) -> str:
    from rota.entrypoints.cli.fail import fail
    from rota.entrypoints.sdk.token import kept_token

    try:
        return said or kept_token() or ""
    except ValueError as error:
        fail(str(error))


def _show(findings: list[Finding]) -> None:
    from rich.text import Text

    from rota.entrypoints.cli.tables import Listing, plain, show, state

    table = Listing("findings", "", "about", "finding")
    for finding in findings:
        told = Text(plain(finding.detail))
        if finding.cure:
            told.append(f"\n→ {finding.cure}", style="bold")
        table.add(state(finding.verdict), finding.about, told)
    show(table)
    bad, warnings = (sum(each.verdict == verdict for each in findings) for verdict in ("BAD", "WARNING"))
    show("All is well." if not bad + warnings else f"{bad} bad, {warnings} to look at.")
