from __future__ import annotations

import asyncio

import pytest
from tests.unit.brokers.fake_link import FakeBroker, HandClock
from tests.unit.brokers.parcels import a_parcel

from rota.domain.errors import UnavailableError
from rota.infrastructure.brokers.letter import Letter, letter_of
from rota.infrastructure.brokers.line import FIRST_PAUSE, LONGEST_PAUSE, Line, PausingError
from rota.infrastructure.brokers.link import RefusedError


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def line(broker: FakeBroker, clock: HandClock) -> Line:
    return Line("there", broker.connect, monotonic=clock)


async def test_a_broker_is_opened_by_the_first_letter_and_once(line: Line, broker: FakeBroker) -> None:
    assert broker.tries == 0

    await asyncio.gather(*(line.put(a_letter()) for _ in range(10)))

    assert broker.tries == 1
    assert len(broker.stored) == 10


async def test_a_letter_comes_back_with_its_place(line: Line) -> None:
    assert await line.put(a_letter()) == {"place": 1}
    assert await line.put(a_letter()) == {"place": 2}


async def test_no_more_letters_than_allowed_are_on_their_way(broker: FakeBroker) -> None:
    line = Line("there", broker.connect, at_once=3)
    broker.answers.clear()
    putting = [asyncio.create_task(line.put(a_letter())) for _ in range(20)]
    while broker.at_once < 3:
        await asyncio.sleep(0)

    broker.answers.set()
    await asyncio.gather(*putting)

    assert broker.most_at_once == 3
    assert len(broker.stored) == 20


async def test_all_letters_that_wait_for_one_opening_share_its_failure(line: Line, broker: FakeBroker) -> None:
    broker.is_there = False

    outcomes = await asyncio.gather(*(line.put(a_letter()) for _ in range(10)), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {UnavailableError}
    assert broker.tries == 1


async def test_a_tenant_is_not_told_where_the_broker_stands(line: Line, broker: FakeBroker) -> None:
    broker.is_there = False

    with pytest.raises(UnavailableError) as away:
        await line.put(a_letter())

    assert str(away.value) == "the broker 'there' cannot be reached"


async def test_a_broker_that_is_away_is_not_tried_again_before_the_pause_is_over(
    line: Line, broker: FakeBroker, clock: HandClock
) -> None:
    broker.is_there = False
    await is_turned_away(line)

    clock.now += FIRST_PAUSE / 4
    with pytest.raises(PausingError) as untried:
        await line.put(a_letter())
    assert untried.value.retry_after == FIRST_PAUSE * 3 / 4
    assert broker.tries == 1

    clock.now += FIRST_PAUSE * 3 / 4
    await is_turned_away(line)
    assert broker.tries == 2


async def test_the_pause_doubles_up_to_the_longest(line: Line, broker: FakeBroker, clock: HandClock) -> None:
    broker.is_there = False
    pauses = [0.25, 0.5, 1, 2, 4, LONGEST_PAUSE]

    for tries, pause in enumerate([*pauses, LONGEST_PAUSE], start=1):
        await is_turned_away(line)
        clock.now += pause * 0.99
        await is_turned_away(line)
        assert broker.tries == tries
        clock.now += pause * 0.02


async def test_a_broker_is_found_after_however_long_it_was_away(
    line: Line, broker: FakeBroker, clock: HandClock
) -> None:
    broker.is_there = False
    for _ in range(2_000):
        await is_turned_away(line)
        clock.now += LONGEST_PAUSE
    broker.is_there = True

    await line.put(a_letter())

    assert broker.tries == 2_001


async def test_a_letter_stored_makes_the_next_pause_the_first_again(
    line: Line, broker: FakeBroker, clock: HandClock
) -> None:
    broker.is_there = False
    for _ in range(6):
        await is_turned_away(line)
        clock.now += LONGEST_PAUSE
    broker.is_there = True
    await line.put(a_letter())
    broker.fault = UnavailableError("gone")
    await is_turned_away(line)
    broker.fault = None

    clock.now += FIRST_PAUSE
    await line.put(a_letter())

    assert len(broker.stored) == 2


async def test_a_link_lost_under_letters_is_closed_and_opened_anew_after_one_pause(
    line: Line, broker: FakeBroker, clock: HandClock
) -> None:
    await line.put(a_letter())
    broker.fault = UnavailableError("gone")
    await asyncio.gather(*(line.put(a_letter()) for _ in range(10)), return_exceptions=True)
    broker.fault = None

    clock.now += FIRST_PAUSE
    await line.put(a_letter())

    assert [link.is_closed for link in broker.links] == [True, False]


async def test_a_link_known_to_be_lost_is_opened_anew_for_the_next_letter_at_once(
    line: Line, broker: FakeBroker
) -> None:
    await line.put(a_letter())
    broker.links[0].is_lost = True

    await line.put(a_letter())

    assert len(broker.stored) == 2
    assert [link.is_closed for link in broker.links] == [True, False]


async def test_a_refusal_costs_the_letter_and_not_the_link(line: Line, broker: FakeBroker) -> None:
    broker.fault = RefusedError("full")
    with pytest.raises(RefusedError):
        await line.put(a_letter())
    broker.fault = None

    await line.put(a_letter())

    assert broker.tries == 1


async def test_an_error_that_nobody_knows_counts_as_a_lost_link(line: Line, broker: FakeBroker) -> None:
    broker.fault = ZeroDivisionError()

    await is_turned_away(line)


async def test_a_cancellation_that_nobody_asked_for_is_a_lost_link(line: Line, broker: FakeBroker) -> None:
    broker.fault = asyncio.CancelledError()

    await is_turned_away(line)


async def test_a_letter_given_up_while_opening_leaves_the_opening_to_the_others(line: Line, broker: FakeBroker) -> None:
    hasty, patient = asyncio.create_task(line.put(a_letter())), asyncio.create_task(line.put(a_letter()))
    await asyncio.sleep(0)

    hasty.cancel()
    await asyncio.gather(hasty, patient, return_exceptions=True)

    assert hasty.cancelled()
    assert patient.result() == {"place": 1}
    assert broker.tries == 1


async def test_a_letter_given_up_on_its_way_gives_its_place_back(broker: FakeBroker) -> None:
    line = Line("there", broker.connect, at_once=1)
    broker.answers.clear()
    stuck = asyncio.create_task(line.put(a_letter()))
    while broker.at_once == 0:
        await asyncio.sleep(0)

    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)
    broker.answers.set()

    assert stuck.cancelled()
    assert await line.put(a_letter()) == {"place": 1}
    assert broker.tries == 1


async def test_closing_leaves_the_broker_and_a_later_letter_comes_back_to_it(line: Line, broker: FakeBroker) -> None:
    await line.put(a_letter())

    await line.close()
    assert [link.is_closed for link in broker.links] == [True]

    await line.put(a_letter())
    assert len(broker.links) == 2


async def test_closing_waits_for_an_opening_and_closes_what_it_opened(line: Line, broker: FakeBroker) -> None:
    putting = asyncio.create_task(line.put(a_letter()))
    await asyncio.sleep(0)
    putting.cancel()

    await line.close()

    assert [link.is_closed for link in broker.links] == [True]


async def test_closing_what_was_never_opened_does_nothing(line: Line, broker: FakeBroker) -> None:
    await line.close()

    assert broker.tries == 0


async def test_a_link_that_cannot_be_closed_is_left(line: Line, broker: FakeBroker) -> None:
    broker.fault_of_closing = OSError("already gone")
    await line.put(a_letter())

    await line.close()

    assert broker.links[0].is_closed


async def is_turned_away(line: Line) -> None:
    with pytest.raises(UnavailableError):
        await line.put(a_letter())


def a_letter() -> Letter:
    return letter_of(a_parcel(), "mails")
