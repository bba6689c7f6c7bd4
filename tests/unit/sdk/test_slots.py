"""How much a worker claims, announces and carries out at once."""

import pytest

from rota.entrypoints.sdk.slots import BRIEF, STALLED, Slots


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def slots_after(capacity: int, *lasted: float, clock: Hand | None = None) -> Slots:
    """Slots in which runs of these lengths have ended."""
    slots = Slots(capacity, clock or Hand())
    for seconds in lasted:
        slots.running += 1
        slots.free(seconds)
    return slots


def test_without_experience_no_more_is_claimed_than_slots_are_free() -> None:
    slots = Slots(10)
    slots.running, slots.starting, slots.claimed = 2, 3, 1

    assert (slots.may_start(), slots.may_claim()) == (5, 4)


def test_after_brief_runs_it_claims_ahead_but_announces_no_more_than_it_can_carry_out() -> None:
    slots = slots_after(10, 0.001)

    assert slots.may_claim() == 50
    assert slots.may_start() == 10


def test_after_long_runs_it_does_not() -> None:
    slots = slots_after(10, 0.001, 0.001, 5.0)

    assert slots.may_claim() == slots.may_start() == 10


def test_brief_runs_that_turn_long_stop_it_before_the_first_has_ended() -> None:
    clock = Hand()
    slots = slots_after(2, 0.001, clock=clock)
    slots.running = 2

    clock.now += STALLED

    assert slots.may_claim() == 0


def test_a_single_slow_run_among_free_slots_does_not_stop_it() -> None:
    clock = Hand()
    slots = slots_after(2, 0.001, clock=clock)
    slots.running = 1

    clock.now += 100 * STALLED

    assert slots.are_brief


def test_handlers_that_outlive_their_registration_keep_their_slots() -> None:
    slots = Slots(5)
    slots.running, slots.starting, slots.claimed = 2, 1, 1

    slots.forget_waiting()

    assert slots.may_claim() == 3


def test_a_free_slot_wakes_whoever_listens() -> None:
    slots, woken = Slots(1), []
    slots.freed = lambda: woken.append(True)
    slots.running = 1

    slots.free(BRIEF)

    assert woken == [True]


def test_a_worker_has_at_least_one_slot() -> None:
    with pytest.raises(ValueError, match="concurrency"):
        Slots(0)
