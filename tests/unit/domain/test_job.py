"""What a job may be, and who may change it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, HOUR, MINUTE, NOON, a_job, a_job_definition, next_id

from rota.domain.errors import InvalidError
from rota.domain.ids import JobId
from rota.domain.job import Job, JobCreated, JobDefinition, JobUpdated
from rota.domain.terms import MAX_TIMEOUT

LATER = NOON + HOUR


def test_a_new_job_tells_itself_whole() -> None:
    job = Job.create(ACME, JobId(next_id()), a_job_definition(), now=NOON)

    (event,) = job.pull_events()
    assert isinstance(event, JobCreated)
    assert (event.job, event.at, event.subject) == (job.snapshot(), NOON, job.id)
    assert job.version == 1


class TestChanging:
    def test_a_change_counts_the_version_up(self) -> None:
        job = a_job(timeout=MINUTE)

        job.change(replace(job.definition, timeout=HOUR), now=LATER)

        (event,) = job.pull_events()
        assert isinstance(event, JobUpdated)
        assert event.job == job.snapshot()
        assert (job.version, job.updated_at, job.created_at) == (2, LATER, NOON)

    def test_what_is_the_same_changes_nothing(self) -> None:
        job = a_job()

        job.change(a_job().definition, now=LATER)

        assert (job.version, job.updated_at, job.pull_events()) == (1, NOON, [])

    def test_the_name_stays(self) -> None:
        job = a_job()

        with pytest.raises(InvalidError) as refusal:
            job.change(replace(job.definition, name="reports.weekly"), now=LATER)

        assert refusal.value.faults[0].field == "name"
        assert (job.version, job.pull_events()) == (1, [])


class TestRegistering:
    def test_a_worker_changes_a_job_that_a_worker_made(self) -> None:
        job = a_job(from_registration=True)

        job.register(replace(job.definition, timeout=HOUR), now=LATER)

        assert (job.definition.timeout, job.version) == (HOUR, 2)

    def test_what_a_worker_says_nothing_of_stays_as_an_operator_has_set_it(self) -> None:
        job = a_job(from_registration=True)
        limited = replace(job.definition, max_concurrent=3, concurrency_key="/customer", priority=5, retention=HOUR)
        job.change(limited, now=LATER)

        job.register(a_job_definition(queue="bulk", timeout=HOUR), now=LATER)

        assert job.definition == replace(limited, queue="bulk", timeout=HOUR)

    def test_a_worker_that_says_the_same_again_changes_nothing(self) -> None:
        job = a_job(from_registration=True)
        job.change(replace(job.definition, max_concurrent=3), now=LATER)
        job.pull_events()

        job.register(a_job_definition(), now=LATER)

        assert (job.definition.max_concurrent, job.version, job.pull_events()) == (3, 2, [])

    def test_a_worker_does_not_change_a_job_that_a_tenant_made(self) -> None:
        job = a_job(from_registration=False)

        job.register(replace(job.definition, timeout=HOUR), now=LATER)

        assert (job.version, job.pull_events()) == (1, [])


def test_a_deleted_job_says_so() -> None:
    job = a_job()

    job.delete(now=LATER)

    assert job.deleted_at == LATER
    assert [event.type for event in job.pull_events()] == ["job.deleted"]


def test_a_run_is_told_what_it_needs_of_its_job() -> None:
    job = a_job(timeout=HOUR, queue="reports")

    terms = job.terms()

    assert (terms.id, terms.name, terms.queue, terms.timeout) == (job.id, "reports.daily", "reports", HOUR)
    assert terms.retry == job.definition.retry


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("name", "", "name"),
        ("name", "x" * 201, "name"),
        ("name", "two\nlines", "name"),
        ("queue", "Reports", "queue"),
        ("queue", "-reports", "queue"),
        ("queue", "x" * 64, "queue"),
        ("timeout", timedelta(0), "timeoutSec"),
        ("timeout", MAX_TIMEOUT + timedelta(microseconds=1), "timeoutSec"),
        ("capabilities", ("gpu", ""), "capabilities"),
    ],
)
def test_a_job_that_breaks_a_rule_is_refused_by_the_field(field: str, value: Any, named: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        JobDefinition(**{"name": "reports.daily", field: value})  # Any: a value of any field

    assert [fault.field for fault in refusal.value.faults] == [named]


@pytest.mark.parametrize("name", ["x", "x" * 200, "Bericht täglich", "日報"])
def test_a_name_is_any_printable_text(name: str) -> None:
    assert JobDefinition(name=name).name == name
