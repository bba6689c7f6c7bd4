"""Which subjects are a tenant's own."""

from __future__ import annotations

import pytest

from rota.domain.errors import InvalidError
from rota.domain.ids import TenantId
from rota.domain.subjects import check_own_subject

ACME = TenantId("acme")


@pytest.mark.parametrize(
    "subject",
    [
        "topic.acme.orders",
        "topic.acme.orders.new",
        "topic.acme.*.new",
        "topic.acme.>",
        "topic.acme.orders.>",
        "scheduler.run.failed.acme",
        "scheduler.run.*.acme",
        "scheduler.*.*.acme",
        "scheduler.*.deleted.acme",
    ],
)
def test_what_carries_the_tenants_name_is_its_own(subject: str) -> None:
    check_own_subject(subject, ACME)


@pytest.mark.parametrize(
    "subject",
    [
        "topic.globex.orders",
        "topic.*.orders",
        "topic.acme",
        "topic.>",
        ">",
        "*",
        "acme",
        "scheduler.run.failed.globex",
        "scheduler.run.failed.*",
        "scheduler.run.failed.acme.x",
        "scheduler.run.failed.>",
        "scheduler.run.>",
        "scheduler.>",
        "scheduler.work.acme.default",
        "scheduler.report.acme",
        "scheduler.control.x.acme",
        "scheduler.command.run.cancel.acme",
        "$JS.API.acme",
        "_INBOX.acme.x",
    ],
)
def test_what_does_not_is_refused(subject: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_own_subject(subject, ACME)

    assert [fault.field for fault in refused.value.faults] == ["subject"]
