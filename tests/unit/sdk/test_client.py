"""The two clients, and what they know of the server."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import Signature, getmembers, isfunction, signature

import pytest
from pydantic import BaseModel
from tests.support.twin import SDK, modules, twin_of

from rota.entrypoints.http.wire import calendars, jobs, runs, schedules, triggers
from rota.entrypoints.sdk import definitions as sent
from rota.entrypoints.sdk import models, parts
from rota.entrypoints.sdk.client import Rota, RotaSync


def methods(client: type) -> dict[str, Signature]:
    return {name: signature(method) for name, method in getmembers(client, isfunction) if not name.startswith("_")}


def parameters(client: type) -> dict[str, list[str]]:
    return {name: list(each.parameters) for name, each in methods(client).items()}


def test_they_have_the_same_calls_with_the_same_parameters() -> None:
    assert parameters(Rota) == parameters(RotaSync)


@pytest.mark.parametrize("module", modules())
def test_the_blocking_one_is_made_from_the_async_one(module: str) -> None:
    assert (SDK / "api_sync" / module).read_text() == twin_of(module), "run: python -m tests.support.twin"


def names(shape: type[BaseModel]) -> set[str]:
    """Of the JSON, without `tenantId`, which goes without saying."""
    return {field.alias or name for name, field in shape.model_fields.items()} - {"tenantId"}


def keys(definition: type) -> set[str]:
    known: Iterable[str] = definition.__annotations__
    return {name.removesuffix("_") for name in known}


@pytest.mark.parametrize(
    ("definition", "shape"),
    [
        (sent.ScheduleDefinition, schedules.ScheduleIn),
        (sent.SchedulePatch, schedules.ScheduleIn),
        (sent.JobDefinition, jobs.JobIn),
        (sent.JobPatch, jobs.JobIn),
        (sent.CalendarDefinition, calendars.CalendarIn),
        (sent.CalendarPatch, calendars.CalendarIn),
        (sent.RunOrder, runs.RunIn),
        (sent.Retrying, jobs.RetryIn),
        (sent.Backoff, jobs.BackoffIn),
        (sent.Misfire, schedules.MisfireIn),
        (sent.Enabling, schedules.EnableIn),
        (sent.Disabling, schedules.DisableIn),
        (sent.Skipping, schedules.SkipIn),
        (sent.CronTrigger, triggers.CronIn),
        (sent.RruleTrigger, triggers.RruleIn),
        (sent.BusinessDayTrigger, triggers.OnBusinessDayIn),
        (sent.FixedRateTrigger, triggers.FixedRateIn),
        (sent.FixedDelayTrigger, triggers.FixedDelayIn),
        (sent.OneShotTrigger, triggers.OneShotIn),
        (sent.EventTrigger, triggers.OnEventIn),
        (sent.Closure, calendars.ClosureIn),
        (sent.OpeningHours, calendars.OpeningHoursIn),
    ],
)
def test_what_may_be_sent_is_what_the_server_takes(definition: type, shape: type[BaseModel]) -> None:
    assert keys(definition) == names(shape)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (models.Schedule, schedules.ScheduleOut),
        (models.Job, jobs.JobOut),
        (models.Run, runs.RunOut),
        (models.Calendar, calendars.CalendarOut),
        (parts.Attempt, runs.AttemptOut),
        (parts.RunError, runs.RunErrorOut),
        (parts.Retrying, jobs.RetryOut),
        (models.Miss, schedules.MissOut),
        (models.Fire, schedules.FireOut),
    ],
)
def test_what_the_server_answers_has_a_name_in_the_client(model: type[BaseModel], shape: type[BaseModel]) -> None:
    assert names(model) == names(shape)
