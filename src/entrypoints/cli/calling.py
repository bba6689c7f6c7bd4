"""Commands that call the API: whom they call, and how they end when it says no."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rota.entrypoints.sdk.client import RotaSync
    from rota.entrypoints.sdk.models import Calendar, Job

Url = Annotated[str, typer.Option(envvar="ROTA_URL", help="The server.", show_default=False)]
Token = Annotated[str, typer.Option(envvar="ROTA_TOKEN", help="Who asks.", show_default=False)]
Tenant = Annotated[str | None, typer.Option(help="For a token of all tenants: the one that is meant.")]
AsJson = Annotated[bool, typer.Option("--json", help="The server's answer, as JSON.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]
Cursor = Annotated[str | None, typer.Option(help="Go on where a list ended: its nextCursor.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="YAML or JSON; - is standard input.")]
PatchFile = Annotated[
    str | None, typer.Argument(metavar="[FILE]", help="YAML or JSON: a merge patch; - is standard input.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="As in misfire.graceSec=60; null is the default; repeatable."),
]
Reason = Annotated[str, typer.Option(help="What is kept as the reason.")]


@contextmanager
def calling(url: str, token: str, tenant: str | None) -> Iterator[RotaSync]:
    """The API. What the server refuses, a bad file, and that it is away, end the command with one line."""
    import httpx

    from rota.entrypoints.cli.documents import DocumentError
    from rota.entrypoints.cli.fail import fail
    from rota.entrypoints.sdk.client import RotaSync
    from rota.entrypoints.sdk.errors import RotaError

    for name, value in (("ROTA_URL", url), ("ROTA_TOKEN", token)):
        if not value:
            fail(f"{name}: not set (`rota up` prints it)")
    try:
        with RotaSync(url, token, tenant=tenant, patience=0) as api:
            yield api
    except (RotaError, DocumentError) as error:
        fail(str(error))
    except httpx.InvalidURL as error:
        fail(f"ROTA_URL: {error}")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def show_json(answer: BaseModel) -> None:
    """As the server sent it, on one line."""
    typer.echo(answer.model_dump_json(by_alias=True))


def show_made(made: Iterable[Job | Calendar], *, as_json: bool) -> None:
    """Each as soon as it is made: its id, or as the server sent it, one a line where there are several."""
    for each in made:
        show_json(each) if as_json else typer.echo(each.id)


def json_argument(text: str | None, option: str) -> dict[str, Any]:  # Any: JSON
    """`{"payload": …}` for `--payload`, nothing where it was not said. Ends the command if it is not JSON."""
    import orjson

    from rota.entrypoints.cli.fail import fail

    if text is None:
        return {}
    try:
        return {option: orjson.loads(text)}
    except ValueError as error:
        fail(f"--{option}: not JSON: {error}")
