"""What a worker holds and what it says it holds."""

from tests.unit.sdk.conftest import an_attempt

from rota.entrypoints.sdk.roster import Roster
from rota.entrypoints.sdk.work import Stage


def test_a_run_is_named_from_before_started_until_it_is_closed() -> None:
    roster, attempt = Roster(), an_attempt("r1")
    roster.add(attempt)
    assert roster.named() == []

    for stage in (Stage.STARTING, Stage.RUNNING, Stage.ENDED):
        attempt.stage = stage
        assert roster.named() == ["r1"]

    roster.close(attempt)
    assert roster.named() == []


def test_a_run_with_two_attempts_here_is_named_once() -> None:
    roster = Roster()
    for number in (1, 2):
        attempt = an_attempt("r1", number)
        attempt.stage = Stage.RUNNING
        roster.add(attempt)

    assert roster.named() == ["r1"]
    assert [attempt.item.attempt for attempt in roster.of_run("r1")] == [1, 2]


def test_a_closed_attempt_is_remembered_and_one_given_back_is_not() -> None:
    roster = Roster()
    done, returned = an_attempt("done"), an_attempt("returned")
    roster.add(done)
    roster.add(returned)

    roster.close(done)
    roster.give_back(returned)

    assert roster.has_lately_held(("done", 1))
    assert not roster.has_lately_held(("done", 2))
    assert not roster.has_lately_held(("returned", 1))
    assert roster.empty.is_set()


def test_memory_is_bounded_and_forgets_the_oldest_first() -> None:
    roster = Roster(recent=10)
    for number in range(25):
        attempt = an_attempt(f"r{number}")
        roster.add(attempt)
        roster.close(attempt)

    remembered = [number for number in range(25) if roster.has_lately_held((f"r{number}", 1))]
    assert remembered == list(range(10, 25))
