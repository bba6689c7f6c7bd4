"""Each message comes to its one handler; a lost race is run again."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rota.application.command import TRIES, Message, MessageBus
from rota.domain.errors import ConcurrentChangeError, NameTakenError, RotaError


@dataclass(frozen=True, slots=True)
class Add(Message[int]):
    one: int
    other: int


class Handler:
    """Fails as often as there are errors, then adds."""

    def __init__(self, *errors: RotaError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self, command: Add) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return command.one + command.other


def a_bus(handler: Handler) -> MessageBus:
    bus = MessageBus()
    bus.on(Add, handler)
    return bus


async def test_it_answers_what_the_handler_answers() -> None:
    assert await a_bus(Handler()).handle(Add(2, 3)) == 5


async def test_a_lost_race_is_run_again() -> None:
    handler = Handler(*(ConcurrentChangeError("run") for _ in range(TRIES - 1)))

    assert await a_bus(handler).handle(Add(2, 3)) == 5


async def test_one_that_is_lost_again_and_again_is_told() -> None:
    handler = Handler(*(ConcurrentChangeError("run") for _ in range(TRIES)))

    with pytest.raises(ConcurrentChangeError):
        await a_bus(handler).handle(Add(2, 3))

    assert handler.calls == TRIES


async def test_no_other_error_is_tried_again() -> None:
    handler = Handler(NameTakenError("job", "a"))

    with pytest.raises(NameTakenError):
        await a_bus(handler).handle(Add(2, 3))

    assert handler.calls == 1


async def test_a_message_that_nobody_handles_is_a_bug() -> None:
    with pytest.raises(KeyError):
        await MessageBus().handle(Add(2, 3))
