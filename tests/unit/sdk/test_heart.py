"""What a heartbeat says, and what is done with its answer."""

import json
from typing import Any, cast

import pytest
from tests.unit.sdk.conftest import FakeBus, an_attempt

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.control import Control
from rota.entrypoints.sdk.heart import Heart
from rota.entrypoints.sdk.place import ReportPlace
from rota.entrypoints.sdk.roster import Roster
from rota.entrypoints.sdk.work import Stage

BEATS = "scheduler.beat.acme"


class Obedient:
    """Remembers its orders."""

    def __init__(self) -> None:
        self.orders: list[bytes] = []

    def obey(self, data: bytes) -> None:
        self.orders.append(data)


class Chest:
    def __init__(self, bus: FakeBus) -> None:
        self.bus = bus
        self.roster = Roster()
        self.place = ReportPlace()
        self.control = Obedient()
        self.heart = Heart("w1", "acme", 3.0, 20, bus, self.roster, self.place, cast(Control, self.control))

    def beats(self) -> list[dict[str, Any]]:
        return [json.loads(data) for subject, data in self.bus.asked if subject == BEATS]

    def stream_made(self, *created: str) -> None:
        self.bus.answers[wire.STREAM_INFO] = [json.dumps({"created": each}).encode() for each in created]


@pytest.fixture
def chest(bus: FakeBus) -> Chest:
    chest = Chest(bus)
    bus.answers[BEATS] = [b"[]"] * 5
    return chest


async def test_a_beat_says_who_what_and_up_to_where(chest: Chest) -> None:
    chest.stream_made("T1")
    attempt = an_attempt("r1")
    attempt.stage = Stage.STARTING
    chest.roster.add(attempt)

    assert await chest.heart.beat_once()

    [beat] = chest.beats()
    assert beat.pop("at").endswith("Z")
    assert beat == {
        "workerId": "w1",
        "slots": 20,
        "running": ["r1"],
        "reportSeq": {"stream": "T1", "seq": 0},
        "draining": False,
    }


async def test_the_answer_is_obeyed(chest: Chest) -> None:
    chest.bus.answers[BEATS] = [b'[{"kind": "DRAIN"}]']

    await chest.heart.beat_once()

    assert chest.control.orders == [b'[{"kind": "DRAIN"}]']


async def test_without_an_answer_the_beat_was_not_heard(chest: Chest) -> None:
    chest.bus.answers[BEATS] = []

    assert not await chest.heart.beat_once()
    assert chest.control.orders == []


async def test_the_stream_is_asked_for_once_and_again_when_it_is_in_doubt(chest: Chest) -> None:
    chest.stream_made("T1", "T2")
    await chest.heart.beat_once()
    await chest.heart.beat_once()
    chest.place.doubt()
    await chest.heart.beat_once()

    assert [beat["reportSeq"]["stream"] for beat in chest.beats()] == ["T1", "T1", "T2"]


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"error": {"code": 404}}', b'{"created": 7}'])
async def test_it_beats_on_while_the_stream_cannot_be_named(chest: Chest, answer: bytes) -> None:
    chest.bus.answers[wire.STREAM_INFO] = [answer]

    assert await chest.heart.beat_once()

    assert chest.beats()[0]["reportSeq"] is None
    assert chest.place.is_in_doubt
