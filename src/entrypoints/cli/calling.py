"""Commands that call the API: whom they call, how they answer, and how they end when it says no."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from rota.entrypoints.cli.helping import texts

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

    from rota.entrypoints.sdk.client import RotaSync

    Answer = TypeVar("Answer", bound=BaseModel)

SERVER = "Server"
"""The panel of help that tells of these options."""

Url = Annotated[
    str, typer.Option(envvar="ROTA_URL", help="The server's address.", show_default=False, rich_help_panel=SERVER)
]
Token = Annotated[
    str,
    typer.Option(envvar="ROTA_TOKEN", help="Who asks: a bearer token.", show_default=False, rich_help_panel=SERVER),
]
Tenant = Annotated[
    str | None, typer.Option(help="For a token of all tenants: the one that is meant.", rich_help_panel=SERVER)
]
AsJson = Annotated[bool, typer.Option("--json", help="The server's answer, as JSON on one line.")]
Reason = Annotated[str, typer.Option(help="What is kept as the reason.")]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY:VALUE", help="Only those with it; repeatable.")
]
Watch = Annotated[
    bool, typer.Option("--watch", "--follow", help="Follow it to its end; status 0 only if that is good.")
]

Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a command works: the API, and whether answers are wanted as JSON."""

    api: RotaSync
    as_json: bool

    def tell(self, answer: Answer, said: Callable[[Answer], RenderableType]) -> None:
        """The answer as the server sent it, or what `said` makes of it."""
        from rota.entrypoints.cli.tables import show

        show_json(answer) if self.as_json else show(said(answer))


def command(
    app: typer.Typer, name: str, *examples: str, also: Sequence[str] = (), panel: str | None = None
) -> Callable[[Command], Command]:
    """Registers a command whose first parameter is the Desk; to its own options come --json, --url, --token, --tenant.

    `also` are names that do the same and are not shown; `panel` is where the help of the group has it.
    """

    def add(function: Command) -> Command:
        def run(*, as_json: bool, url: str, token: str, tenant: str | None, **said: Any) -> None:
            with calling(url, token, tenant) as api:
                function(Desk(api, as_json), **said)

        offered = offering(run, function, [*parameters(function)[1:], *SHARED])
        for each in (name, *also):
            app.command(each, hidden=each in also, rich_help_panel=panel, **texts(function.__doc__, examples))(offered)
        return function

    return add


def option(name: str, kind: Any, default: object) -> Parameter:
    """As a function would declare it. (Any: what Typer reads.)"""
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def parameters(function: Callable[..., object]) -> list[Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())


def offering(run: Command, function: Callable[..., object], offered: Sequence[Parameter]) -> Command:
    """`run`, under the name of `function` and with these parameters: Typer reads them from the signature."""
    own = [each if each.name == "desk" else each.replace(kind=Parameter.KEYWORD_ONLY) for each in offered]
    run.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]  # where inspect looks first
    run.__annotations__ = {each.name: each.annotation for each in own}
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    return run


SHARED = (
    option("as_json", AsJson, False),
    option("url", Url, ""),
    option("token", Token, ""),
    option("tenant", Tenant, None),
)


@contextmanager
def calling(url: str, token: str, tenant: str | None) -> Iterator[RotaSync]:
    """The API. What the server refuses, a bad file, and that it is away, end the command with one line."""
    import httpx

    from rota.entrypoints.cli.documents import DocumentError
    from rota.entrypoints.cli.fail import INTERRUPTED, fail
    from rota.entrypoints.sdk.client import RotaSync
    from rota.entrypoints.sdk.errors import RotaError, UnreachableError
    from rota.entrypoints.sdk.token import kept_token

    try:
        token = token or kept_token() or ""
    except ValueError as error:
        fail(str(error))
    for name, value in (("ROTA_URL", url), ("ROTA_TOKEN", token)):
        if not value:
            fail(f"{name}: not set (`rota up` prints it)")
    try:
        with RotaSync(url, token, tenant=tenant, patience=0) as api:
            yield api
    except UnreachableError as error:
        fail(f"{error} (`rota doctor` looks for the reason)")
    except (RotaError, DocumentError) as error:
        fail(str(error))
    except httpx.InvalidURL as error:
        fail(f"ROTA_URL: {error}")
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def show_json(answer: BaseModel) -> None:
    """As the server sent it, on one line."""
    typer.echo(answer.model_dump_json(by_alias=True))


def said_only(**said: object) -> dict[str, Any]:  # Any: JSON
    """What was said: neither None nor empty."""
    return {name: value for name, value in said.items() if value not in (None, "", [])}


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
