"""From registration to the end: a worker that is OFFLINE never comes back."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, HOUR, NOON, a_worker, next_id

from rota.domain.errors import InvalidError, TransitionError
from rota.domain.ids import WorkerId
from rota.domain.worker import MAX_SLOTS, ReportSeq, Worker, WorkerEvent, WorkerState

LATER = NOON + HOUR


def types(worker: Worker) -> list[str]:
    return [event.type for event in worker.pull_events()]


def register(name: str = "mill-1", slots: int = 20) -> Worker:
    return Worker.register(
        ACME, WorkerId(next_id()), name=name, jobs=("reports.daily",), capabilities=(), slots=slots, now=NOON
    )


class TestRegistering:
    def test_it_is_online_and_was_just_seen(self) -> None:
        worker = register()

        assert (worker.state, worker.last_seen_at, worker.running) == (WorkerState.ONLINE, NOON, 0)
        assert types(worker) == ["worker.registered"]

    @pytest.mark.parametrize("slots", [0, -1, MAX_SLOTS + 1])
    def test_it_has_at_least_one_slot_and_not_too_many(self, slots: int) -> None:
        with pytest.raises(InvalidError) as refusal:
            register(slots=slots)

        assert refusal.value.faults[0].field == "slots"

    def test_it_has_a_printable_name(self) -> None:
        with pytest.raises(InvalidError):
            register(name="")


class TestDraining:
    def test_an_online_worker_drains(self) -> None:
        worker = a_worker()

        worker.drain(now=LATER)

        assert worker.state is WorkerState.DRAINING
        assert types(worker) == ["worker.draining"]

    def test_draining_twice_changes_nothing(self) -> None:
        worker = a_worker(WorkerState.DRAINING)

        worker.drain(now=LATER)

        assert types(worker) == []

    def test_an_offline_worker_cannot_drain(self) -> None:
        worker = a_worker(WorkerState.OFFLINE)

        with pytest.raises(TransitionError):
            worker.drain(now=LATER)

        assert (worker.state, types(worker)) == (WorkerState.OFFLINE, [])


class TestGivingUp:
    @pytest.mark.parametrize("state", [WorkerState.ONLINE, WorkerState.DRAINING])
    def test_a_silent_worker_is_offline_and_runs_nothing(self, state: WorkerState) -> None:
        worker = a_worker(state)
        worker.running = 3

        worker.give_up("silent for 9 s", now=LATER)

        (event,) = worker.pull_events()
        assert isinstance(event, WorkerEvent)
        assert (event.type, event.reason) == ("worker.offline", "silent for 9 s")
        assert (worker.state, worker.running) == (WorkerState.OFFLINE, 0)
        assert event.worker == worker.snapshot()

    def test_giving_up_twice_changes_nothing(self) -> None:
        worker = a_worker(WorkerState.OFFLINE)

        worker.give_up("silent", now=LATER)

        assert types(worker) == []


class TestReportSeq:
    @pytest.mark.parametrize(("seq", "covers"), [(6, False), (7, True), (8, True)])
    def test_it_covers_the_places_up_to_its_own(self, seq: int, covers: bool) -> None:
        assert ReportSeq("2026-01-02T00:00:00+00:00", seq).is_past(7, "2026-01-02T00:00:00+00:00") is covers

    def test_what_an_earlier_life_of_the_stream_held_is_passed(self) -> None:
        assert ReportSeq("2026-01-01T00:00:00+00:00", 0).is_past(7, "2026-01-02T00:00:00+00:00")
