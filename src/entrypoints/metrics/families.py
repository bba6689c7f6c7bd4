"""The numbers as Prometheus' families. What a bad value means stands in each help text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from rota.application.ports.health import StoreHealth
from rota.application.ports.numbers import QueueDepth, StoreNumbers
from rota.application.tally import DELIVERIES, MOST_QUEUES, OTHER_QUEUES, Histogram, Tally
from rota.domain.misfire import MisfirePolicy
from rota.domain.run_events import FINAL, Cause, RunState
from rota.domain.worker import WorkerState
from rota.entrypoints.metrics.readings import BusUse, Calls, PoolUse, Readings

Values: TypeAlias = Mapping[Any, float]
"""By the value of the label, or a tuple of those of all labels. Any: enumerations, texts and tuples of them."""

UNFINISHED: Final = tuple(state for state in RunState if state not in FINAL)


def of_tally(tally: Tally) -> Iterator[Metric]:
    """What this process has done since it began."""
    yield _histogram(
        "lateness_seconds",
        "firedAt - dueAt of the due times that this process fired. Rising: the leader or its database does not keep up",
        {(): tally.lateness},
    )
    yield _counter(
        "fires",
        "Due times that this process turned into runs. Flat where it should not be: nobody leads",
        {(): tally.fires},
    )
    yield _counter(
        "misses",
        "Due times that a misfire policy did not run, by rule. Any: Rota, or its database, was away",
        {each: tally.misses[each.value] for each in MisfirePolicy},
        "rule",
    )
    yield from _of_runs(tally)
    yield from _of_waits(tally)


def _of_runs(tally: Tally) -> Iterator[Metric]:
    yield _counter(
        "runs_created", "Runs made by this process, by cause", {each: tally.made[each] for each in Cause}, "cause"
    )
    yield _counter(
        "runs_finished",
        "Runs whose final state this process has stored. DEAD rising: jobs fail for good",
        {state: tally.ended[state] for state in sorted(FINAL)},
        "state",
    )
    yield _counter(
        "attempts_failed", "Attempts that failed, whether or not they are tried again", {(): tally.failed_attempts}
    )
    yield _counter("events", "Events stored by this process, by type", tally.events, "type")
    yield _counter(
        "reports_rejected",
        "Reports that changed nothing. Some are normal after a failover; many: workers that were given up still work",
        {(): tally.rejected_reports},
    )


def _of_waits(tally: Tally) -> Iterator[Metric]:
    yield _histogram(
        "queue_wait_seconds",
        "From QUEUED to the start of the attempt, by queue. Rising: too few workers, or too few slots",
        {(queue,): waits for queue, waits in tally.waits.items()},
        "queue",
    )
    yield _histogram(
        "event_loop_lag_seconds",
        "How much later than asked the event loop came round. Above 0.1: the process has more to do than it can",
        {(): tally.loop_lag},
    )


def of_calls(calls: Calls) -> Iterator[Metric]:
    yield _histogram(
        "http_request_duration_seconds",
        "From a request to the beginning of its answer, by route and class of status. 5xx: look into the log",
        dict(calls.by_kind),
        "method",
        "route",
        "status",
    )


def of_process(own: Readings, *, python: str) -> Iterator[Metric]:
    """What this process is and has at this moment."""
    build = InfoMetricFamily("rota_build", "Which Rota, on which Python, in which roles")
    build.add_metric([], {"version": own.version, "python": python, "roles": ",".join(sorted(own.roles))})
    yield build
    yield _gauge(
        "leads", "1 if this process holds the lease. Over all processes the sum must be 1", own.leads(), "lease"
    )
    yield from _of_pools(own.pools())
    yield from _of_bus(own.bus())
    yield _gauge("event_followers", "Open streams of GET /events/stream", {(): own.followers()})


def _of_pools(pools: Sequence[PoolUse]) -> Iterator[Metric]:
    yield _gauge(
        "pool_connections", "Connections that the pool may open", {each.name: each.size for each in pools}, "pool"
    )
    yield _gauge(
        "pool_connections_used",
        "Connections in use. At its size all the time: ROTA_POOL_SIZE is too small, or the database slow",
        {each.name: each.used for each in pools},
        "pool",
    )
    yield _counter(
        "pool_waits",
        "How often all connections of the pool were taken",
        {each.name: each.waits for each in pools},
        "pool",
    )
    yield _counter(
        "pool_wait_seconds",
        "Seconds for which a free connection was waited for",
        {each.name: each.waited_sec for each in pools},
        "pool",
    )


def _of_bus(bus: BusUse) -> Iterator[Metric]:
    yield _gauge(
        "bus_up", "1 if this process is connected to the bus. 0: nothing is dispatched from here", {(): bus.is_up}
    )
    yield _counter("bus_losses", "How often the link to the bus was lost", {(): bus.losses})
    yield _counter(
        "bus_publish_failures",
        "Messages that the bus has not acknowledged; they are sent again. Rising: the bus is away or full",
        bus.failures,
        "publisher",
        "outcome",
    )


def is_up(store: bool) -> Iterator[Metric]:
    yield _gauge(
        "store_up", "1 if the database has told what only it knows; else that is left out of this scrape", {(): store}
    )


def of_store(health: StoreHealth, numbers: StoreNumbers) -> Iterator[Metric]:
    """Of the whole service and all tenants, whichever process is asked."""
    yield from _of_health(health)
    yield _gauge(
        "leader_epoch",
        "The leader's epoch. Rising often: leaders lose their lease",
        {(): numbers.epochs.get("leader", 0)},
    )
    yield _gauge(
        "relay_lag_seconds",
        "Age of the oldest event that the bus has not been given. Rising: listeners hear late; work is not delayed",
        {(): numbers.relay_lag.total_seconds()},
    )
    yield _gauge(
        "runs",
        "Runs that are not final, by state",
        {state: numbers.runs.get(state, 0) for state in UNFINISHED},
        "state",
    )
    yield _gauge(
        "runs_counted_whole",
        "0 if more runs wait than are counted: then rota_runs and the queues' numbers are least ones",
        {(): numbers.is_complete},
    )
    yield from _of_queues(numbers)
    yield from _of_workers(numbers)


def _of_queues(numbers: StoreNumbers) -> Iterator[Metric]:
    queues = _bounded(numbers)
    yield _gauge(
        "queue_depth",
        "Runs that could be carried out and wait for it, by queue. Rising: too few workers",
        {name: each.depth for name, each in queues.items()},
        "queue",
    )
    yield _gauge(
        "queue_oldest_wait_seconds",
        "How long the first of them has waited",
        {name: each.oldest.total_seconds() for name, each in queues.items()},
        "queue",
    )


def _of_workers(numbers: StoreNumbers) -> Iterator[Metric]:
    yield _gauge(
        "workers",
        "Workers, by state",
        {state: numbers.workers.get(state, 0) for state in WorkerState},
        "state",
    )
    yield _gauge(
        "worker_slots", "How many runs all workers that are not offline can carry out at once", {(): numbers.slots}
    )
    yield _gauge(
        "worker_slots_used", "How many they do. Near rota_worker_slots: more workers are needed", {(): numbers.used}
    )


def _of_health(store: StoreHealth) -> Iterator[Metric]:
    audit = store.audit
    yield _gauge("leader", "1 if a process leads, else 0: nothing fires", {(): store.has_leader})
    yield _gauge("relay", "1 if a process relays events to the bus, else 0", {(): store.has_relay})
    yield _gauge("relay_lag_events", "Events that the bus has not been given yet", {(): store.relay_lag})
    yield _gauge("lonely_jobs", "Jobs with runs that wait and no worker that does them", {(): store.lonely_jobs})
    yield _gauge(
        "audit_differences",
        "Due times found amiss by the auditor in the last day. Any is a fault",
        {(): audit.differences},
    )
    yield _gauge("audit_schedules", "Schedules looked at in the auditor's last whole round", {(): audit.schedules})
    yield _gauge("audit_uncovered_schedules", "Of these, those without a second opinion", {(): audit.uncovered})
    yield _gauge("audit_due_times", "Due times judged in the auditor's last whole round", {(): audit.due_times})
    yield _gauge("audit_round_seconds", "How long the auditor's last whole round took", {(): audit.took_sec})


def _bounded(numbers: StoreNumbers) -> dict[str, QueueDepth]:
    """The hundred deepest by name, the others as one."""
    found: dict[str, QueueDepth] = {}
    for each in sorted(numbers.queues, key=lambda queue: -queue.depth):
        name = DELIVERIES if each.queue is None else each.queue
        if len(found) >= MOST_QUEUES:
            name = OTHER_QUEUES
        known = found.get(name)
        found[name] = each if known is None else _joined(known, each)
    return found


def _joined(one: QueueDepth, other: QueueDepth) -> QueueDepth:
    return QueueDepth(one.queue, one.depth + other.depth, max(one.oldest, other.oldest))


def _gauge(name: str, told: str, values: Values, *labels: str) -> Metric:
    family = GaugeMetricFamily(f"rota_{name}", told, labels=labels)
    for key, value in values.items():
        family.add_metric(_texts(key), float(value))
    return family


def _counter(name: str, told: str, values: Values, *labels: str) -> Metric:
    """Prometheus adds `_total`."""
    family = CounterMetricFamily(f"rota_{name}", told, labels=labels)
    for key, value in values.items():
        family.add_metric(_texts(key), float(value))
    return family


def _histogram(name: str, told: str, values: Mapping[Any, Histogram], *labels: str) -> Metric:
    family = HistogramMetricFamily(f"rota_{name}", told, labels=labels)
    for key, histogram in values.items():
        buckets, below = [], 0
        for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
            below += count
            buckets.append((str(bound), below))
        family.add_metric(_texts(key), buckets, histogram.total)
    return family


def _texts(key: object) -> list[str]:
    return [str(each) for each in key] if isinstance(key, tuple) else [str(key)]
