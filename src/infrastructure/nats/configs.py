"""How the streams and consumers are to be.

Why each stream is as it is:
    ROTA_EVENTS   limits, oldest discarded: a copy of the event log, which is the truth, for listeners
    ROTA_WORK     work queue: a message lives until its worker has it. New ones are refused when it is full:
                  discarding the oldest would silently drop work
    ROTA_REPORTS  work queue: with limits, reports long stored would fill the stream until new ones are refused,
                  or age would drop reports that intake has not seen. Its last sequence outlives its messages
    ROTA_TOPICS   limits, oldest discarded: other programs read it at their own pace
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from rota.infrastructure.nats import names
from rota.infrastructure.nats.names import Lane

Config: TypeAlias = Mapping[str, object]
"""The fields we set, under the server's names and in its units (nanoseconds)."""

_SECOND: Final = 10**9
_MIB: Final = 1024 * 1024

DEDUP_WINDOW_SEC: Final = 120
LANE_ACK_WAIT_SEC: Final = 5
INTAKE_ACK_WAIT_SEC: Final = 8
TRIGGERS_ACK_WAIT_SEC: Final = 30
MAX_ACK_PENDING: Final = 20_000
EVENT_AGE_SEC: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class BusLimits:
    """Sizes in bytes; the server sets them aside, so their sum must fit into its store. -1 is no limit."""

    events_max_bytes: int = 1024 * _MIB
    work_max_bytes: int = 512 * _MIB
    reports_max_bytes: int = 256 * _MIB
    topics_max_bytes: int = 512 * _MIB
    replicas: int = 1


def stream_configs(limits: BusLimits) -> dict[str, Config]:
    """What each stream shall be."""
    return {
        names.EVENTS: _stream(
            names.EVENTS,
            names.EVENT_SUBJECTS,
            limits.events_max_bytes,
            limits.replicas,
            discard="old",
            max_age=EVENT_AGE_SEC * _SECOND,
        ),
        names.WORK: _stream(
            names.WORK, names.WORK_SUBJECTS, limits.work_max_bytes, limits.replicas, retention="workqueue"
        ),
        names.REPORTS: _stream(
            names.REPORTS, names.REPORT_SUBJECTS, limits.reports_max_bytes, limits.replicas, retention="workqueue"
        ),
        names.TOPICS: _stream(
            names.TOPICS,
            names.TOPIC_SUBJECTS,
            limits.topics_max_bytes,
            limits.replicas,
            discard="old",
            max_age=EVENT_AGE_SEC * _SECOND,
        ),
    }


def intake_config() -> Config:
    """The consumer of all reports."""
    return _consumer(names.INTAKE, INTAKE_ACK_WAIT_SEC)


def lane_config(lane: Lane) -> Config:
    """The consumer of one job's work."""
    return {**_consumer(lane.durable, LANE_ACK_WAIT_SEC), "filter_subject": lane.subjects}


def triggers_config(subjects: Iterable[str], first: int) -> Config:
    """The consumer of what schedules listen to, from the place `first` on."""
    return {
        **_consumer(names.TRIGGERS, TRIGGERS_ACK_WAIT_SEC),
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": first,
        "filter_subjects": list(subjects),
    }


def _stream(
    name: str,
    subjects: Iterable[str],
    max_bytes: int,
    replicas: int,
    *,
    retention: str = "limits",
    discard: str = "new",
    max_age: int = 0,
) -> Config:
    return {
        "name": name,
        "subjects": list(subjects),
        "retention": retention,
        "storage": "file",
        "discard": discard,
        "max_age": max_age,
        "max_bytes": max_bytes,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_msg_size": -1,
        "max_consumers": -1,
        "num_replicas": replicas,
        "duplicate_window": DEDUP_WINDOW_SEC * _SECOND,
    }


def _consumer(durable: str, ack_wait_sec: int) -> Config:
    return {
        "durable_name": durable,
        "name": durable,
        "deliver_policy": "all",
        "replay_policy": "instant",
        "ack_policy": "explicit",
        "ack_wait": ack_wait_sec * _SECOND,
        "max_deliver": -1,
        "max_ack_pending": MAX_ACK_PENDING,
    }
