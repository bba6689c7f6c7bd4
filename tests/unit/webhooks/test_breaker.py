"""Receivers that fail are left alone for a while."""

from __future__ import annotations

import pytest

from rota.infrastructure.webhooks.breaker import (
    BreakerPace,
    Circuit,
    CircuitBreaker,
    CircuitOpenError,
    Sign,
)

HOOKS = Circuit("acme", "https://hooks.example")
PACE = BreakerPace(failures=5, within=60, shortest=5, longest=300, jitter=0, circuits=100)


def a_breaker(pace: BreakerPace = PACE, chance: float = 0.0) -> CircuitBreaker:
    return CircuitBreaker(pace, lambda: chance)


def attempt(breaker: CircuitBreaker, sign: Sign, now: float, circuit: Circuit = HOOKS) -> bool:
    return breaker.settle(breaker.admit(circuit, now), sign, now)


def opened(breaker: CircuitBreaker, now: float = 0.0, circuit: Circuit = HOOKS) -> CircuitBreaker:
    for _ in range(5):
        attempt(breaker, Sign.FAILING, now, circuit)
    return breaker


def wait(breaker: CircuitBreaker, now: float, circuit: Circuit = HOOKS) -> float:
    with pytest.raises(CircuitOpenError) as refused:
        breaker.admit(circuit, now)
    return refused.value.retry_after


def test_the_fifth_failure_in_a_row_opens_the_circuit() -> None:
    breaker = a_breaker()

    assert [attempt(breaker, Sign.FAILING, now) for now in range(5)] == [False] * 4 + [True]
    assert wait(breaker, 4) == 5


def test_an_answer_in_between_ends_the_row() -> None:
    breaker = a_breaker()
    for now in range(4):
        attempt(breaker, Sign.FAILING, now)

    attempt(breaker, Sign.ALIVE, 4)

    assert not any(attempt(breaker, Sign.FAILING, now) for now in range(5, 9))


def test_an_attempt_that_says_nothing_neither_ends_nor_lengthens_the_row() -> None:
    breaker = a_breaker()
    for now in range(4):
        attempt(breaker, Sign.FAILING, now)

    assert not attempt(breaker, Sign.NONE, 4)
    assert attempt(breaker, Sign.FAILING, 5)


def test_failures_far_apart_do_not_open_it() -> None:
    breaker = a_breaker()

    assert not any(attempt(breaker, Sign.FAILING, now) for now in range(0, 1000, 20))


def test_while_open_it_tells_what_is_left() -> None:
    breaker = opened(a_breaker())

    assert [wait(breaker, now) for now in (0, 1, 4.5)] == [5, 4, 0.5]


def test_the_wait_is_told_a_little_longer_by_chance_so_that_not_all_come_back_at_once() -> None:
    assert wait(opened(a_breaker(BreakerPace(jitter=0.2), chance=0.5)), 1) == pytest.approx(4 * 1.1)


def test_after_its_time_one_is_let_through_and_the_others_wait() -> None:
    breaker = opened(a_breaker())

    breaker.admit(HOOKS, 5)

    assert wait(breaker, 5) == 5
    assert wait(breaker, 100) == 5


def test_the_one_let_through_closes_it_by_an_answer() -> None:
    breaker = opened(a_breaker())

    attempt(breaker, Sign.ALIVE, 5)

    assert not any(attempt(breaker, Sign.FAILING, 6) for _ in range(4))


def test_each_time_it_fails_again_it_stays_open_twice_as_long_up_to_the_longest() -> None:
    breaker = opened(a_breaker())
    now, waits = 0.0, []

    for _ in range(8):
        waits.append(wait(breaker, now))
        now += waits[-1]
        assert attempt(breaker, Sign.FAILING, now)

    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]


def test_once_closed_it_opens_for_the_shortest_time_again() -> None:
    breaker = opened(a_breaker())
    attempt(breaker, Sign.FAILING, 5)
    attempt(breaker, Sign.ALIVE, 15)

    opened(breaker, 20)

    assert wait(breaker, 20) == 5


def test_if_the_one_let_through_is_given_up_the_next_is() -> None:
    breaker = opened(a_breaker())

    attempt(breaker, Sign.NONE, 5)

    assert breaker.admit(HOOKS, 5)


@pytest.mark.parametrize("sign", list(Sign))
def test_what_set_out_before_it_opened_has_no_say_any_more(sign: Sign) -> None:
    breaker = a_breaker()
    early = breaker.admit(HOOKS, 0)
    opened(breaker)
    probe = breaker.admit(HOOKS, 5)

    assert not breaker.settle(early, sign, 6)

    assert wait(breaker, 6) == 5
    breaker.settle(probe, Sign.ALIVE, 7)
    assert breaker.admit(HOOKS, 7)


def test_tenants_and_receivers_have_circuits_of_their_own() -> None:
    breaker = opened(a_breaker())

    assert breaker.admit(Circuit("globex", HOOKS.lane), 1)
    assert breaker.admit(Circuit("acme", "https://other.example"), 1)


def test_receivers_that_answer_are_not_remembered() -> None:
    breaker = a_breaker()

    for number in range(10):
        attempt(breaker, Sign.ALIVE, 0, Circuit("acme", f"https://{number}.example"))

    assert len(breaker) == 0


def test_receivers_not_heard_of_for_long_are_forgotten() -> None:
    breaker = a_breaker()
    for number in range(10):
        attempt(breaker, Sign.FAILING, number, Circuit("acme", f"https://{number}.example"))

    attempt(breaker, Sign.FAILING, 365)

    assert len(breaker) == 6


def test_no_more_than_so_many_are_remembered_and_the_oldest_go_first() -> None:
    breaker = opened(a_breaker())
    for number in range(99):
        attempt(breaker, Sign.FAILING, 1, Circuit("acme", f"https://{number}.example"))
    assert wait(breaker, 1) == 4

    attempt(breaker, Sign.FAILING, 2, Circuit("acme", "https://one-more.example"))

    assert len(breaker) == 100
    assert breaker.admit(HOOKS, 2)
