"""Bugs of firing: due times, rules, terms of office, overlap of what was fired."""

from __future__ import annotations

from datetime import timedelta

from tests.e2e.checker.history import Fault
from tests.e2e.story import MOMENT, SECOND
from tests.e2e.story_rows import TENANT
from tests.e2e.told import Told, again, breaches


@breaches("S1", "S3")
def a_due_time_with_two_runs(told: Told) -> None:
    told.story.before_writing.append("DROP INDEX runs_due_time_key")
    told.steady.fire(told.story.at(4)).started().succeeded()
    again(told)


@breaches("S1")
def a_due_time_with_neither_run_nor_miss(told: Told) -> None:
    told.run.forget()
    again(told)


@breaches("S1")
def a_run_without_a_due_time(told: Told) -> None:
    told.steady.fire(told.story.at(4.5)).started().succeeded()
    again(told)


@breaches("S1")
def a_run_of_a_disabled_schedule(told: Told) -> None:
    told.changed.fire(told.story.at(10)).started().succeeded()
    again(told)


@breaches("S1")
def a_run_more_than_the_schedule_may_have(told: Told) -> None:
    told.limited.fire(told.story.at(4)).started().succeeded()
    again(told)


@breaches("S1")
def a_miss_that_counts_wrongly(told: Told) -> None:
    told.story.tables["misses"][0]["count"] = 4


@breaches("S1")
def a_miss_of_what_was_never_due(told: Told) -> None:
    told.once.miss(told.story.at(20), told.story.at(20), 1, at=told.story.at(21))
    again(told)


@breaches("S1")
def a_due_time_in_two_misses(told: Told) -> None:
    told.outage.miss(told.story.at(9), told.story.at(9), 1, at=told.story.at(14))
    again(told)


@breaches("S1")
def a_catch_up_that_was_never_made(told: Told) -> None:
    told.run.forget()
    span = {"first": told.story.at(0), "last": told.story.at(0), "count": 1}
    told.story.tables["catchups"].append(
        {"tenant_id": TENANT, "schedule_id": told.steady.id, "revision": 1, **span, "decided_at": told.story.at(4)}
    )
    again(told)


@breaches("S2")
def a_run_before_its_time(told: Told) -> None:
    told.run.row["fired_at"] = told.story.at(0) - MOMENT


@breaches("S2")
def a_run_stored_before_its_time_by_a_leader_whose_clock_is_ahead(told: Told) -> None:
    run = told.run_at(19)
    told.story.committed[run.events("queued")[0]["id"]] = told.story.at(19) - MOMENT


@breaches("S2")
def a_late_run_without_a_fault(told: Told) -> None:
    told.run.row["fired_at"] = told.story.at(2.5)


@breaches("S2")
def a_backlog_that_outlasts_the_recovery(told: Told) -> None:
    told.story.faults[0] = Fault("kill", "leader", told.story.at(3), told.story.at(3))


@breaches("S2")
def a_late_run_while_only_workers_were_in_trouble(told: Told) -> None:
    told.run.row["fired_at"] = told.story.at(2.5)
    told.story.faults.append(Fault("kill_worker", "w1", told.story.at(0), told.story.at(3), at_edge=True))


@breaches("S3")
def a_constraint_that_is_gone(told: Told) -> None:
    told.story.before_writing.append("DROP INDEX runs_due_time_key")


@breaches("S3")
def a_constraint_that_forgets_backfills(told: Told) -> None:
    told.story.before_writing += [
        "DROP INDEX runs_due_time_key",
        "CREATE UNIQUE INDEX ON runs (tenant_id, schedule_id, scheduled_for) WHERE cause = 'SCHEDULE'",
    ]


@breaches("S4")
def a_fire_under_an_epoch_that_is_over(told: Told) -> None:
    told.run_at(20).row["fired_epoch"] = 1


@breaches("S4")
def a_fire_under_an_epoch_that_nobody_held(told: Told) -> None:
    told.run_at(20).row["fired_epoch"] = 7


@breaches("S4")
def an_epoch_left_out(told: Told) -> None:
    told.story.term(4, "a", told.story.at(20))


@breaches("S5")
def a_run_made_after_its_rule_was_replaced(told: Told) -> None:
    late = told.story.run_of(told.changed, told.story.at(0.25))
    for event in told.story.tables["events"]:
        if event["subject"] == late.row["id"]:
            event["at"] += 6 * SECOND
    again(told)
    for lines in told.story.journals.values():
        for line in lines:
            line["at"] += 6 * SECOND if line["runId"] == str(late.row["id"]) else timedelta(0)


@breaches("S7")
def two_runs_at_once_where_that_is_forbidden(told: Told) -> None:
    """It started in time, and was still running when the next one did."""
    told.story.run_of(told.alone, told.story.at(15)).forget()
    told.long.events("succeeded")[0]["at"] = told.story.at(16)
    told.story.journals["w1"][-1]["at"] = told.story.at(16)
    told.alone.fire(told.story.at(15), epoch=2).started("w2").succeeded()
    again(told)


@breaches("S7")
def a_catch_up_from_beyond_the_window(told: Told) -> None:
    told.caught_up.told()["misfire"] = told.caught_up.definition["misfire"] | {"catchupWindowSec": 5}


@breaches("S7")
def a_miss_that_the_window_would_have_caught_up(told: Told) -> None:
    told.caught_up.told()["misfire"] = told.caught_up.definition["misfire"] | {"catchupWindowSec": 13}
