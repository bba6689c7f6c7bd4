"""`rota import`: schedules from elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rota.entrypoints.cli.calling import Desk, command

if TYPE_CHECKING:
    from rota.application.crontab import Crontab
    from rota.entrypoints.cli.crontab_difference import Difference
    from rota.entrypoints.sdk.client import RotaSync
    from rota.entrypoints.sdk.models import Schedule

app = typer.Typer(name="import", help="Take schedules over from elsewhere.", no_args_is_help=True)

BATCH = 1_000
LONGEST_LABEL = 63
LIKE_CRON: dict[str, Any] = {"retry": {"maxAttempts": 1}, "timeoutSec": 86_400}
"""What the job is made with that carries the commands out: cron does not try again, and lets them take their time."""

File = Annotated[str, typer.Argument(metavar="FILE", help="What `crontab -l` prints; - is standard input.")]
System = Annotated[
    bool, typer.Option("--system/--user", help="The form of /etc/crontab, with a user before each command.")
]
Zone = Annotated[str, typer.Option("--tz", envvar="DEFAULT_TZ", help="The zone of lines without CRON_TZ.")]
Source = Annotated[
    str | None, typer.Option("--name", help="What the schedules are known by; the file's name if left out.")
]
JobName = Annotated[str, typer.Option("--job", help="The job that carries the commands out; made if it is not there.")]
Apply = Annotated[bool, typer.Option("--apply", help="Make and change the schedules, after the report.")]


@command(
    app,
    "crontab",
    "crontab -l | rota import crontab - --tz Europe/Berlin",
    "rota import crontab /etc/crontab --system --apply",
)
def import_crontab(
    desk: Desk,
    file: File,
    system: System = False,
    tz: Zone = "UTC",
    name: Source = None,
    job: JobName = "crontab",
    apply: Apply = False,
) -> None:
    """Tell what a crontab would make and change, and with --apply do it. Doing it again changes nothing.

    The exit status is 1 where a line could not be taken over; the others are.
    """
    from rota.entrypoints.cli.crontab_difference import difference
    from rota.entrypoints.cli.import_report import report, report_json, sum_of

    source = _source(file, name)
    crontab = _read(file, tz, system=system)
    found = difference(crontab, _standing(desk.api, source), source=source, tz=tz, job=job)
    new_job = None if found.is_none or _has_job(desk.api, job) else job
    if not desk.as_json:
        typer.echo(report(found, source=source, tz=tz, new_job=new_job))
    if apply:
        _apply(desk.api, found, new_job)
    if desk.as_json:
        typer.echo(report_json(found, source=source, tz=tz, new_job=new_job, is_applied=apply))
    else:
        typer.echo(sum_of(found, is_applied=apply))
    if found.faults:
        raise typer.Exit(1)


def _source(file: str, name: str | None) -> str:
    from rota.entrypoints.cli.fail import fail

    source = name or ("crontab" if file == "-" else Path(file).name)
    if len(source) > LONGEST_LABEL or not source.isprintable():
        fail(f"--name: must have at most {LONGEST_LABEL} printable characters")
    return source


def _read(file: str, tz: str, *, system: bool) -> Crontab:
    """Ends the command where there is no such file or zone, or it is no text."""
    from rota.application.crontab import read_crontab
    from rota.domain.errors import InvalidError
    from rota.domain.time.zone import load_zone
    from rota.entrypoints.cli.fail import fail

    try:
        load_zone(tz)
    except InvalidError as error:
        fail(f"--tz: {error}")
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return read_crontab(text, system=system)
    except (OSError, UnicodeDecodeError, InvalidError) as error:
        fail(f"{file}: {error}")


def _standing(api: RotaSync, source: str) -> list[Schedule]:
    """All that were made from that crontab before."""
    from rota.entrypoints.cli.crontab_difference import LABEL
    from rota.entrypoints.cli.finding import every

    return list(every(api.list_schedules, label=f"{LABEL}:{source}"))


def _has_job(api: RotaSync, job: str) -> bool:
    from rota.entrypoints.cli.finding import every

    return any(each.name == job for each in every(api.list_jobs, name=job))


def _apply(api: RotaSync, found: Difference, new_job: str | None) -> None:
    from rota.entrypoints.cli.progress import progress

    if new_job is not None:
        api.create_job(new_job, **LIKE_CRON)
    with progress("importing", len(found.new) + len(found.changed)) as advance:
        for start in range(0, len(found.new), BATCH):
            api.create_schedules([each.definition for each in found.new[start : start + BATCH]])
            advance(min(start + BATCH, len(found.new)), "")
        for done, change in enumerate(found.changed, len(found.new) + 1):
            api.change_schedule(change.schedule.id, **change.patch)
            advance(done, "")
