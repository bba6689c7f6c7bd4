"""Calendars are made, changed and deleted; none goes while another needs it, and none leads back to itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, NOON, SECOND, a_calendar
from tests.unit.application.house import House

from rota.application.change_calendar import ChangeCalendar
from rota.application.create_calendar import CreateCalendar
from rota.application.delete_calendar import DeleteCalendar
from rota.application.import_days import ImportDays
from rota.application.ports.calendar_files import ImportedDays
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import CalendarDefinition, Closure, FixedDate
from rota.domain.errors import CalendarInUseError, InvalidError, NameTakenError, NotFoundError
from rota.domain.ids import TenantId

EVE = FixedDate(12, 24, "Christmas Eve")
OUTING = Closure(date(2026, 5, 6), date(2026, 5, 6), "Outing")


def create(name: str = "DE-BY", tenant_id: TenantId = ACME, **said: Any) -> CreateCalendar:
    return CreateCalendar(tenant_id=tenant_id, definition=CalendarDefinition(name=name, **said))


def change(calendar: Calendar, *, tenant_id: TenantId = ACME, is_dry_run: bool = False, **said: Any) -> ChangeCalendar:
    return ChangeCalendar(
        tenant_id=tenant_id,
        calendar_id=calendar.id,
        revise=lambda standing: replace(standing.definition, **said),
        is_dry_run=is_dry_run,
    )


def delete(calendar: Calendar) -> DeleteCalendar:
    return DeleteCalendar(tenant_id=calendar.tenant_id, calendar_id=calendar.id)


class TestCreateCalendar:
    async def test_a_calendar_is_stored(self, house: House) -> None:
        made = await house.handle(create(closures=(OUTING,)))

        assert await house.reads.calendar(ACME, made.id) == made
        assert (made.definition.closures, made.version, made.created_at) == ((OUTING,), 1, NOON)
        assert await house.event_types() == ["calendar.created"]

    async def test_a_name_that_is_taken_is_refused(self, house: House) -> None:
        await house.has(a_calendar("DE"), a_calendar("FR", tenant_id=GLOBEX))

        with pytest.raises(NameTakenError):
            await house.handle(create("DE"))
        await house.handle(create("FR"))

    async def test_it_can_only_include_its_tenants(self, house: House) -> None:
        own, foreign = a_calendar("own"), a_calendar(tenant_id=GLOBEX)
        await house.has(own, foreign)

        await house.handle(create("a", includes=(own.id,)))
        with pytest.raises(InvalidError, match=f"includes: there is no calendar {foreign.id}"):
            await house.handle(create("b", includes=(own.id, foreign.id)))


class TestChangeCalendar:
    async def test_it_is_a_new_version(self, house: House) -> None:
        calendar = a_calendar()
        await house.has(calendar)
        house.clock.advance(SECOND)

        changed = await house.handle(change(calendar, closures=(OUTING,)))

        assert changed.before == calendar.snapshot()
        assert (changed.after.definition.closures, changed.after.version) == ((OUTING,), 2)
        assert changed.after.updated_at == NOON + SECOND
        assert await house.reads.calendar(ACME, calendar.id) == changed.after
        assert await house.event_types() == ["calendar.updated"]

    async def test_nothing_new_changes_nothing(self, house: House) -> None:
        calendar = a_calendar()
        await house.has(calendar)

        changed = await house.handle(change(calendar))

        assert changed.after == changed.before
        assert await house.events() == []

    async def test_a_dry_run_answers_the_same_and_changes_nothing(self, house: House) -> None:
        calendar = a_calendar()
        await house.has(calendar)

        tried = await house.handle(change(calendar, is_dry_run=True, name="Bavaria"))

        assert await house.reads.calendar(ACME, calendar.id) == calendar.snapshot()
        assert await house.events() == []
        assert tried == await house.handle(change(calendar, name="Bavaria"))

    async def test_a_circle_is_refused_wherever_it_closes(self, house: House) -> None:
        bottom = a_calendar("bottom")
        middle = a_calendar("middle", includes=(bottom.id,))
        top = a_calendar("top", includes=(middle.id,))
        await house.has(bottom, middle, top)

        with pytest.raises(InvalidError, match="includes: .*bottom > top > middle > bottom"):
            await house.handle(change(bottom, includes=(top.id,)))

        assert (await house.reads.calendar(ACME, bottom.id)).version == 1

    async def test_those_above_must_not_come_to_include_too_many(self, house: House) -> None:
        leaves = [a_calendar(f"leaf {n}") for n in range(20)]
        branches = [a_calendar(f"branch {n}", includes=tuple(leaf.id for leaf in leaves[:19])) for n in range(5)]
        top = a_calendar("top", includes=tuple(branch.id for branch in branches))
        await house.has(*leaves, *branches, top)

        with pytest.raises(InvalidError, match="includes: top includes more than 100 calendars in all"):
            await house.handle(change(branches[0], includes=tuple(leaf.id for leaf in leaves)))

    async def test_another_tenants_is_unknown(self, house: House) -> None:
        calendar = a_calendar()
        await house.has(calendar)

        with pytest.raises(NotFoundError):
            await house.handle(change(calendar, tenant_id=GLOBEX))


class TestDeleteCalendar:
    async def test_it_is_unknown_from_then_on_and_its_name_is_free(self, house: House) -> None:
        calendar = a_calendar()
        await house.has(calendar)

        await house.handle(delete(calendar))

        with pytest.raises(NotFoundError):
            await house.handle(delete(calendar))
        assert await house.event_types() == ["calendar.deleted"]
        await house.handle(create(calendar.definition.name))

    async def test_one_that_another_includes_stays(self, house: House) -> None:
        included = a_calendar("included")
        await house.has(included, a_calendar(includes=(included.id,)))

        with pytest.raises(CalendarInUseError, match="calendar 'included' is in use by another calendar"):
            await house.handle(delete(included))

        assert await house.events() == []


class TestImportDays:
    async def test_what_is_new_is_added_behind_what_there_is(self, house: House) -> None:
        calendar = a_calendar(closures=(OUTING,))
        await house.has(calendar)
        bridge = replace(OUTING, reason="Bridge")

        done = await house.handle(self.take(calendar, (EVE, EVE), (bridge, OUTING)))

        assert (done.holidays, done.closures) == ((EVE,), (bridge,))
        after = await house.reads.calendar(ACME, calendar.id)
        assert after == done.changed.after
        assert (after.definition.holidays, after.definition.closures) == ((EVE,), (OUTING, bridge))

    async def test_the_same_again_changes_nothing(self, house: House) -> None:
        calendar = a_calendar()
        await house.has(calendar)
        await house.handle(self.take(calendar, (EVE,), (OUTING,)))

        again = await house.handle(self.take(calendar, (EVE,), (OUTING,)))

        assert (again.holidays, again.closures, again.changed.after.version) == ((), (), 2)
        assert await house.event_types() == ["calendar.updated"]

    async def test_a_dry_run_changes_nothing(self, house: House) -> None:
        calendar = a_calendar()
        await house.has(calendar)

        tried = await house.handle(self.take(calendar, (EVE,), (), is_dry_run=True))

        assert (tried.holidays, tried.changed.after.version) == ((EVE,), 2)
        assert await house.reads.calendar(ACME, calendar.id) == calendar.snapshot()

    @staticmethod
    def take(
        calendar: Calendar, holidays: tuple[FixedDate, ...], closures: tuple[Closure, ...], *, is_dry_run: bool = False
    ) -> ImportDays:
        days = ImportedDays(holidays, closures, ())
        return ImportDays(tenant_id=ACME, calendar_id=calendar.id, days=days, is_dry_run=is_dry_run)
