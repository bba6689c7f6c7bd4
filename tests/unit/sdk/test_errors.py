"""What a caller learns from a refusal."""

from __future__ import annotations

import httpx
import pytest

from rota import ConflictError, InvalidError, RotaError, RunFailedError, StaleVersionError, UnavailableError
from rota.entrypoints.sdk.models import Run
from rota.entrypoints.sdk.problems import read_problem

PROBLEM = {
    "type": "urn:rota:error:invalid", "title": "Invalid", "status": 422, "detail": "the body is refused",
    "errors": [
        {"field": "trigger.cron", "message": "needs five fields"},
        {"field": "tz", "message": "is no zone"},
        {"field": "tz", "message": "is too long"},
    ],
}  # fmt: skip


def test_a_refusal_names_its_code_and_the_fields() -> None:
    error = read_problem(httpx.Response(422, json=PROBLEM))

    assert isinstance(error, InvalidError)
    assert (error.status, error.code, error.type) == (422, "invalid", "urn:rota:error:invalid")
    assert error.fields == {"trigger.cron": "needs five fields", "tz": "is no zone; is too long"}
    assert "trigger.cron: needs five fields" in str(error)


def test_an_answer_of_somebody_in_between_is_told_as_well_as_it_can() -> None:
    error = read_problem(httpx.Response(502, text="<h1>Bad gateway</h1>"))

    assert isinstance(error, UnavailableError)
    assert str(error) == "502 - Bad Gateway - <h1>Bad gateway</h1>"


@pytest.mark.parametrize("status", [418, 500])
def test_every_refusal_is_a_rota_error(status: int) -> None:
    assert type(read_problem(httpx.Response(status))) is RotaError


def test_a_stale_version_is_a_conflict() -> None:
    assert issubclass(StaleVersionError, ConflictError)


def test_a_run_that_failed_says_why() -> None:
    run = Run.model_validate(
        {"id": "r1", "state": "DEAD", "cause": "API", "error": {"type": "ValueError", "message": "no such day"}}
    )

    assert str(RunFailedError(run)) == "run r1 is DEAD: ValueError: no such day"
