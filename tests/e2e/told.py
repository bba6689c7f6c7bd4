"""A history in which everything is right, and the parts of it that tests spoil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from tests.e2e.checker.history import Fault, Message, Stream
from tests.e2e.checker.streams import EVENTS
from tests.e2e.life_story import LifeTold, tell_of_a_life
from tests.e2e.story import SECOND, Run, Schedule, Story
from tests.e2e.story_rows import TENANT, Row

EVERY_SECOND = {"type": "CRON", "cron": "* * * * * *"}
EVERY_FIVE = {"type": "CRON", "cron": "*/5 * * * * *"}


@dataclass
class Told:
    """A right story, and the parts of it that tests spoil."""

    story: Story
    steady: Schedule
    changed: Schedule
    outage: Schedule
    limited: Schedule
    once: Schedule
    caught_up: Schedule
    alone: Schedule
    retried: Run
    posted: Run
    moved: Run
    cancelled: Run
    long: Run
    life: LifeTold

    @property
    def run(self) -> Run:
        """One of the steady ones."""
        return self.run_at(0)

    def run_at(self, second: int) -> Run:
        """The steady one of that second of the story."""
        return self.story.run_of(self.steady, self.story.at(second))

    def message_of(self, event: Row) -> Message:
        return next(message for message in self._events.messages if message.id == str(event["id"]))

    def replace(self, *messages: Message) -> None:
        """Puts each in the place of the one that has its id."""
        new = {message.id: message for message in messages}
        kept = [new.get(message.id, message) for message in self._events.messages]
        self.story.streams[EVENTS] = replace(self._events, messages=kept)

    @property
    def _events(self) -> Stream:
        stream = self.story.streams[EVENTS]
        assert stream is not None
        return stream


def a_right_story(directory: Path) -> Told:
    story = Story(directory)
    story.job()
    story.term(1, "a", story.start)
    story.term(2, "b", story.at(12))
    story.faults.append(Fault("kill", "leader", story.at(10), story.at(10)))

    steady = story.schedule(EVERY_SECOND)
    steady.fire_each(0, 9, epoch=1)
    for second in (10, 11, 12):
        steady.fire(story.at(second), late=story.at(12.1) - story.at(second), epoch=2).started("w2").succeeded()
    steady.fire_each(13, 20, epoch=2)
    steady.disable(story.at(20.5))

    changed = story.schedule({"type": "FIXED_RATE", "everySec": 2, "anchorAt": None}, created=0.25)
    for n in range(3):
        changed.fire(story.at(0.25 + 2 * n)).started().succeeded()
    changed.change(story.at(5), trigger=EVERY_FIVE)
    changed.fire_each(5, 5)
    changed.disable(story.at(7))
    changed.enable(story.at(13))
    changed.fire_each(15, 20, every=5, epoch=2)
    changed.disable(story.at(21))

    outage = story.schedule(EVERY_SECOND, created=0.5)
    outage.fire_each(1, 4)
    outage.miss(story.at(5), story.at(9), 5, at=story.at(13))
    for second in (10, 11, 12, 13):
        outage.fire(story.at(second), late=story.at(13.01) - story.at(second), epoch=2).started().succeeded()
    outage.disable(story.at(13.5))
    misfire = {"policy": "FIRE_ALL", "graceSec": 3, "catchupWindowSec": 8}
    caught_up = story.schedule(EVERY_FIVE, created=0.5, misfire=misfire)
    caught_up.miss(story.at(5), story.at(5), 1, at=story.at(16.9))
    caught_up.fire(story.at(10), late=story.at(17) - story.at(10), epoch=None).started().succeeded()
    caught_up.fire(story.at(15), late=story.at(16.9) - story.at(15), epoch=2).started().succeeded()
    caught_up.disable(story.at(18))
    alone = story.schedule(EVERY_FIVE, created=0.5, overlap="SKIP")
    long = alone.fire(story.at(5)).started()
    alone.skip(story.at(10))
    long.now = story.at(12)
    long.succeeded()
    alone.fire(story.at(15), epoch=2).started().succeeded()
    alone.disable(story.at(18))

    limited = story.schedule(EVERY_SECOND, created=0.5, maxRuns=2, overlap="SKIP")
    first = limited.fire(story.at(1)).started()
    limited.skip(story.at(2))
    first.now = story.at(2.5)
    first.succeeded()
    limited.fire_each(3, 3)
    once = story.schedule({"type": "ONE_SHOT", "startAt": story.at(-50).isoformat()}, created=8)
    once.fire(story.at(-50), late=story.at(8.1) - story.at(-50)).started().succeeded()

    retried = story.run(cause="API", due=story.at(1)).created().queued().started().failed().retrying()
    retried.queued().started("w2").succeeded()
    moved = story.run(cause="API", due=story.at(2)).created().queued().started().lost().queued().started("w2")
    moved.now += 6 * SECOND
    moved.succeeded()
    story.reject(moved, "SUCCEEDED", attempt=1, worker="w1", at=moved.now - 3 * SECOND)
    posted = story.run(cause="API", due=story.at(3)).created().queued().started().released().started("w2").succeeded()
    dead = story.run(cause="API", due=story.at(3)).created().queued().started()
    dead.failed().retrying().queued().started().failed().retrying().queued().started().failed().dead()
    cancelled = story.run(cause="API", due=story.at(3)).created().queued().started().cancelled()
    story.accepted.append((TENANT, posted.row["id"]))
    life = tell_of_a_life(story)

    story.reject_unreadable("mark-1", story.at(4))
    story.number_events()
    story.publish()
    story.watch()
    return Told(
        story, steady, changed, outage, limited, once, caught_up, alone, retried, posted, moved, cancelled, long, life
    )


Plant: TypeAlias = Callable[[Told], None]
Planted: TypeAlias = tuple[set[str], Plant]
_PLANTS: list[Planted] = []


def breaches(*invariants: str) -> Callable[[Plant], Plant]:
    """The invariants that this plant breaches, and no others."""

    def keep(plant: Plant) -> Plant:
        _PLANTS.append((set(invariants), plant))
        return plant

    return keep


def planted(module: ModuleType) -> list[Planted]:
    """Its plants, each with what it breaches."""
    return [each for each in _PLANTS if each[1].__module__ == module.__name__]


def again(told: Told) -> None:
    """What was planted takes its place in log and stream."""
    told.story.number_events()
    told.story.publish()
    told.story.watch()
