"""`rota token`: a token signed by the data directory's own key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SCOPES = ("scheduler:read", "scheduler:operate", "scheduler:admin")


def token(
    tenant: Annotated[str, typer.Option(help="The tenant; * for one that names its tenant by X-Tenant-Id.")],
    scope: Annotated[list[str], typer.Option(help="scheduler:read, scheduler:operate or scheduler:admin; repeatable.")],
    ttl: Annotated[int, typer.Option(help="Seconds until it expires.", min=1)] = 3600,
    data_dir: Annotated[Path | None, typer.Option(help="Where the key is.  [default: ROTA_DATA_DIR]")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="With what it says: {token, tenant, scope, expiresAt}.")
    ] = False,
) -> None:
    """Print a token signed by the data directory's own key, and nothing else."""
    import orjson

    from rota.entrypoints.bootstrap.doctor import read_token
    from rota.entrypoints.bootstrap.tokens import issue_token
    from rota.entrypoints.cli.fail import fail, failing_clearly
    from rota.entrypoints.settings import read_settings

    unknown = [each for each in scope if each not in SCOPES]
    if unknown:
        fail(f"--scope: {', '.join(unknown)}; known are {', '.join(SCOPES)}")
    with failing_clearly():
        issued = issue_token(data_dir, read_settings(), tenant, scope, ttl)
    if not as_json:
        typer.echo(issued)
    elif read := read_token(issued, "tenant"):
        said = {"token": issued, "tenant": tenant, "scope": " ".join(scope), "expiresAt": read.expires}
        typer.echo(orjson.dumps(said, option=orjson.OPT_UTC_Z))
