"""Calls as values: what goes over the wire."""

from rota.entrypoints.sdk import calls


def test_a_filter_may_be_a_list_a_flag_or_nothing() -> None:
    call = calls.list_runs({"state": ["DEAD", "CANCELLED"], "enabled": True, "job": None, "limit": 5})

    assert call.query == {"state": ["DEAD", "CANCELLED"], "enabled": "true", "limit": "5"}


def test_dead_letters_are_redriven_by_a_filter() -> None:
    order = {"filter": {"job": "reports.daily"}, "perSec": 5}

    asked, tried = calls.redrive(order), calls.would_redrive(order)

    assert (asked.method, asked.path, asked.body) == ("POST", "/runs/redrive", order)
    assert tried.body == order | {"dryRun": True}


def test_ids_are_part_of_the_path_whatever_is_in_them() -> None:
    assert calls.get_redrive("a/b").path == "/redrives/a%2Fb"
    assert calls.cancel_redrive("a?b", "enough").path == "/redrives/a%3Fb/cancel"


def test_a_dry_run_is_a_parameter_and_a_file_goes_as_it_is() -> None:
    tried = calls.would_change_calendar("c1", {"tz": "UTC"})
    taken = calls.import_days("c1", b"BEGIN:VCALENDAR", {"from": None, "dryRun": False})

    assert (tried.method, tried.path, tried.body, tried.query) == (
        "PATCH", "/calendars/c1", {"tz": "UTC"}, {"dryRun": "true"},
    )  # fmt: skip
    assert (taken.body, taken.content_type, taken.query) == (b"BEGIN:VCALENDAR", "text/calendar", {"dryRun": "false"})
