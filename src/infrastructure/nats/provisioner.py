"""Makes the streams and consumers that Rota stands on, and repairs what differs.

Only the fields that `configs` names are ours: they are compared with the server's one by one, and an update takes
the server's configuration and puts ours over it, so that what an operator set beside stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from nats.aio.client import Client

from rota.domain.errors import RotaError
from rota.infrastructure.nats import names
from rota.infrastructure.nats.api import (
    CONSUMER_NOT_FOUND,
    STREAM_NOT_FOUND,
    Answer,
    ApiRefusalError,
    JetStreamApi,
)
from rota.infrastructure.nats.configs import (
    BusLimits,
    Config,
    intake_config,
    lane_config,
    stream_configs,
    triggers_config,
)
from rota.infrastructure.nats.names import Lane

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class StreamState:
    """`created` names the stream's incarnation: a deleted stream that is made again has another."""

    created: datetime
    first_seq: int
    last_seq: int
    messages: int


@dataclass(frozen=True, slots=True)
class LaneState:
    """`pending` was never given to a worker; `unacked` was, and is not settled."""

    pending: int
    unacked: int


@dataclass(frozen=True, slots=True)
class IntakeFloor:
    """Every report at or below `seq` of this incarnation of the stream is settled."""

    stream_created: datetime
    seq: int
    pending: int
    unacked: int


@dataclass(frozen=True, slots=True)
class TriggersState:
    """The consumer that event triggers read a stream through. All that matches at or below `floor` is settled;
    `is_idle` says that all there is is.
    """

    subjects: tuple[str, ...]
    floor: int
    is_idle: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which the server is not as we want it."""

    field: str
    found: object
    wanted: object

    def __str__(self) -> str:
        return f"{self.field} is {self.found!r}, not {self.wanted!r}"


class DriftError(RotaError):
    """A stream or consumer differs in a way that the server refuses to change; somebody must decide."""

    code = "bus-drift"

    def __init__(self, name: str, differences: Iterable[Difference], reason: str) -> None:
        self.name = name
        self.differences = tuple(differences)
        fields = ", ".join(map(str, self.differences))
        super().__init__(f"{name} cannot be brought in line ({reason}): {fields or 'not made yet'}")


@dataclass(slots=True)
class Provisioner:
    """Idempotent, and safe to run in several processes at once. Raises UnavailableError when the bus is silent."""

    nc: Client
    limits: BusLimits = field(default_factory=BusLimits)
    _api: JetStreamApi = field(init=False)
    _verified: set[Lane] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._api = JetStreamApi(self.nc)

    async def ensure_streams(self) -> None:
        """All four streams are there and as we want them; raises DriftError."""
        for name, config in stream_configs(self.limits).items():
            await self._ensure_stream(name, config)

    async def ensure_intake(self) -> None:
        """The consumer that intake reads reports through; raises DriftError."""
        await self._ensure_consumer(names.REPORTS, intake_config())

    async def ensure_lanes(self, lanes: Iterable[Lane]) -> None:
        """A consumer for each lane. What was verified before is not asked again until `forget`.

        One lane that fails keeps none of the others back; then the first error is raised.
        """
        todo = [lane for lane in dict.fromkeys(lanes) if lane not in self._verified]
        places = asyncio.Semaphore(_AT_ONCE)

        async def ensure(lane: Lane) -> None:
            async with places:
                await self._ensure_consumer(names.WORK, lane_config(lane))
            self._verified.add(lane)

        outcomes = await asyncio.gather(*map(ensure, todo), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def forget(self, lane: Lane | None = None) -> None:
        """Ask the server again about this lane, or about all."""
        if lane is None:
            self._verified.clear()
        else:
            self._verified.discard(lane)

    async def remove_lane(self, lane: Lane) -> None:
        """The lane's consumer and what is left of its work; harmless when they are gone."""
        self.forget(lane)
        try:
            await self._api.ask(f"STREAM.PURGE.{names.WORK}", {"filter": lane.subjects})
            await self._api.ask(f"CONSUMER.DELETE.{names.WORK}.{lane.durable}")
        except ApiRefusalError as refusal:
            if refusal.err_code not in (STREAM_NOT_FOUND, CONSUMER_NOT_FOUND):
                raise

    async def stream_state(self, name: str) -> StreamState | None:
        """None if there is no such stream."""
        found = await self._api.stream(name)
        if found is None:
            return None
        state = found["state"]
        return StreamState(_instant(found["created"]), state["first_seq"], state["last_seq"], state["messages"])

    async def lane_names(self) -> Collection[str]:
        """The names of all lanes' consumers."""
        return await self._api.consumer_names(names.WORK)

    async def lane_state(self, lane: Lane) -> LaneState | None:
        """None if the lane has no consumer."""
        found = await self._api.consumer(names.WORK, lane.durable)
        return None if found is None else LaneState(found["num_pending"], found["num_ack_pending"])

    async def intake_floor(self) -> IntakeFloor | None:
        """None if the stream or the consumer is missing, or the stream was made anew between two looks."""
        consumer = await self._api.consumer(names.REPORTS, names.INTAKE)
        stream = await self._api.stream(names.REPORTS)
        if consumer is None or stream is None:
            return None
        created = _instant(stream["created"])
        if _instant(consumer["created"]) < created:
            return None
        floor = consumer["ack_floor"]["stream_seq"]
        return IntakeFloor(created, floor, consumer["num_pending"], consumer["num_ack_pending"])

    async def triggers_state(self, stream: str) -> TriggersState | None:
        """None if nobody reads that stream for event triggers."""
        found = await self._api.consumer(stream, names.TRIGGERS)
        if found is None:
            return None
        is_idle = not found["num_pending"] and not found["num_ack_pending"]
        return TriggersState(tuple(found["config"]["filter_subjects"]), found["ack_floor"]["stream_seq"], is_idle)

    async def remake_triggers(self, stream: str, subjects: Iterable[str], first: int) -> None:
        """The consumer anew, from the place `first` of the stream on: where one begins can never be changed."""
        await self.remove_triggers(stream)
        await self._ensure_consumer(stream, triggers_config(subjects, first))

    async def remove_triggers(self, stream: str) -> None:
        """Harmless when it is gone."""
        try:
            await self._api.ask(f"CONSUMER.DELETE.{stream}.{names.TRIGGERS}")
        except ApiRefusalError as refusal:
            if refusal.err_code not in (STREAM_NOT_FOUND, CONSUMER_NOT_FOUND):
                raise

    async def drift(self) -> Mapping[str, str]:
        """What differs from how we want it, by stream or consumer, the lanes that are there included.

        Changes nothing, which `ensure_…` does.
        """
        found = {name: (await self._api.stream(name), config) for name, config in stream_configs(self.limits).items()}
        intake = f"{names.REPORTS}/{names.INTAKE}"
        found[intake] = (await self._api.consumer(names.REPORTS, names.INTAKE), intake_config())
        for there in await self._api.consumers(names.WORK):
            if wanted := _lane_wanted(there["config"]):
                found[f"{names.WORK}/{wanted['durable_name']}"] = (there, wanted)
        told = {
            name: "missing" if there is None else ", ".join(map(str, _differences(there["config"], wanted)))
            for name, (there, wanted) in found.items()
        }
        return {name: differs for name, differs in told.items() if differs}

    async def _ensure_stream(self, name: str, config: Config) -> None:
        await self._ensure(
            name,
            config,
            find=lambda: self._api.stream(name),
            make=lambda: self._api.ask(f"STREAM.CREATE.{name}", config),
            update=lambda merged: self._api.ask(f"STREAM.UPDATE.{name}", merged),
        )

    async def _ensure_consumer(self, stream: str, config: Config) -> None:
        durable = str(config["durable_name"])

        def put(merged: Config) -> Awaitable[Answer]:
            operation = f"CONSUMER.CREATE.{stream}.{durable}" + (
                f".{merged['filter_subject']}" if "filter_subject" in merged else ""
            )
            return self._api.ask(operation, {"stream_name": stream, "config": merged})

        async def make() -> Answer:
            try:
                return await put(config)
            except ApiRefusalError as refusal:
                if refusal.err_code != STREAM_NOT_FOUND:
                    raise
            await self._ensure_stream(stream, stream_configs(self.limits)[stream])
            return await put(config)

        await self._ensure(
            f"{stream}/{durable}",
            config,
            find=lambda: self._api.consumer(stream, durable),
            make=make,
            update=put,
        )

    async def _ensure(
        self,
        name: str,
        config: Config,
        *,
        find: Callable[[], Awaitable[Answer | None]],
        make: Callable[[], Awaitable[Answer]],
        update: Callable[[Config], Awaitable[Answer]],
    ) -> None:
        found = await find()
        differences: list[Difference] = []
        try:
            if found is None:
                found = await make()
                log.info("bus_provisioned", name=name)
            differences = _differences(found["config"], config)
            if not differences:
                return
            found = await update({**found["config"], **config})
        except ApiRefusalError as refusal:
            raise _drift(name, differences, refusal.description) from refusal
        if left := _differences(found["config"], config):
            raise _drift(name, left, "the server keeps it")
        log.warning("bus_drift_repaired", name=name, fields=[each.field for each in differences])


def _lane_wanted(found: Config) -> Config | None:
    """How the consumer that was found should be; None where its name is not a lane's."""
    durable, subject = str(found.get("durable_name", "")), str(found.get("filter_subject", ""))
    parts = subject.split(".")
    try:
        return lane_config(Lane(parts[2], UUID(durable)))
    except (ValueError, IndexError):
        return None


def _drift(name: str, differences: list[Difference], reason: str) -> DriftError:
    error = DriftError(name, differences, reason)
    log.error("bus_drift_stays", name=name, error=str(error))
    return error


def _differences(found: Answer, wanted: Config) -> list[Difference]:
    return [
        Difference(name, found.get(name), value)
        for name, value in wanted.items()
        if _comparable(found.get(name)) != _comparable(value)
    ]


def _comparable(value: object) -> object:
    """The order of subjects means nothing."""
    return sorted(value) if isinstance(value, list) else value


def _instant(text: str) -> datetime:
    """The server's nanoseconds, cut to microseconds."""
    return datetime.fromisoformat(text)
