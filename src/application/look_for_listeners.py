"""Which schedules listen to the bus, and to what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.store import Begin
from rota.domain.schedule import Schedule
from rota.domain.subject_matching import SubjectMap
from rota.domain.trigger import OnEvent


class Listeners:
    """Schedules by the subject that they listen to, as they were at one moment."""

    def __init__(self, schedules: Iterable[Schedule] = ()) -> None:
        self._by_subject: SubjectMap[Schedule] = SubjectMap()
        self._subjects: set[str] = set()
        for schedule in schedules:
            trigger = schedule.definition.trigger
            if isinstance(trigger, OnEvent):
                self._subjects.add(trigger.subject)
                self._by_subject.add(trigger.subject, schedule)

    @property
    def subjects(self) -> frozenset[str]:
        """The patterns."""
        return frozenset(self._subjects)

    def of(self, subject: str) -> Iterator[Schedule]:
        return self._by_subject.find(subject)


@dataclass(frozen=True, slots=True)
class LookForListeners(Message[Listeners]):
    """One look at the schedules of all tenants."""


@dataclass(frozen=True, slots=True)
class LookForListenersHandler:
    begin: Begin

    async def __call__(self, command: LookForListeners) -> Listeners:
        async with self.begin() as work:
            return Listeners(await work.schedules.listening())
