from __future__ import annotations

import os
import subprocess
import sys
from uuid import UUID

from rota.infrastructure.nats import names

JOB = UUID("0198c7d2-0000-7000-8000-000000000001")
RUN = UUID("0198c7d2-0000-7000-8000-000000000002")


def test_subjects_are_those_of_the_contract() -> None:
    assert names.event_subject("run", "succeeded", "acme") == "scheduler.run.succeeded.acme"
    assert names.command_subject("run", "cancel", "acme") == "scheduler.command.run.cancel.acme"
    assert names.work_subject("acme", "bulk", JOB) == f"scheduler.work.acme.bulk.{JOB}"
    assert names.report_subject("acme") == "scheduler.report.acme"
    assert names.beat_subject("acme") == "scheduler.beat.acme"
    assert names.control_subject("acme", RUN) == f"scheduler.control.acme.{RUN}"
    assert names.topic_subject("acme", "orders.late") == "topic.acme.orders.late"


def test_a_lane_is_named_by_its_job_and_takes_all_queues() -> None:
    lane = names.Lane("acme", JOB)

    assert lane.durable == "0198c7d2000070008000000000000001"
    assert lane.subjects == f"scheduler.work.acme.*.{JOB}"


def test_a_sending_after_a_proven_loss_is_no_duplicate() -> None:
    assert names.work_message_id(RUN, 1) == f"{RUN}:1"
    assert names.work_message_id(RUN, 1, resent=2) == f"{RUN}:1:2"


def test_names_load_nothing_but_the_standard_library() -> None:
    foreign = "{'nats', 'orjson', 'structlog'}"
    probe = f"import sys, rota.infrastructure.nats.names; print(sorted({foreign} & set(sys.modules)))"

    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=env)

    assert loaded.stdout.strip() == "[]"
