"""What counts as the same output: words must agree, ids and times need not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.docs.likeness import differences, json_differences

FIRST = "2026-11-22T12:27:28Z 01a20339-c7cb-74b2-aaec-a4eac374e92c SUCCEEDED"
OTHER = "2031-01-01T00:00:00.25Z 01a20339-cf56-7060-99c1-d4548c878ab7   SUCCEEDED"


def test_ids_times_and_the_width_of_columns_may_differ() -> None:
    assert list(differences(FIRST, OTHER)) == []


def test_words_may_not() -> None:
    assert list(differences(FIRST, OTHER.replace("SUCCEEDED", "DEAD")))


def test_lines_come_in_their_order_and_more_may_be_printed() -> None:
    assert list(differences("one\ntwo", "zero\none\nmore\ntwo")) == []
    assert list(differences("two\none", "one\ntwo"))


def test_dots_stand_for_anything() -> None:
    assert list(differences("TRIGGER  STOP  …", "TRIGGER STOP minute 30 is not 0")) == []


@pytest.mark.parametrize(
    ("shown", "got"),
    [
        ({"state": "QUEUED"}, {"state": "DEAD"}),
        ({"id": "…"}, {}),
        ([{}, {}], [{}]),
        ({"count": 1}, {"count": 2}),
        (1, True),
    ],
)
def test_a_shown_field_must_be_there_and_be_so(shown: Any, got: Any) -> None:  # Any: JSON
    assert list(json_differences(shown, got))


def test_fields_that_are_not_shown_may_be_there() -> None:
    shown = {"items": [{"at": "2026-01-01T00:00:00Z"}]}

    assert (
        list(json_differences(shown, {"items": [{"at": "2030-05-05T10:00:00Z", "id": 1}, {}], "nextCursor": None}))
        == []
    )
