"""The `reportSeq` of heartbeats."""

from rota.entrypoints.sdk.place import ReportPlace


def a_place(created: str = "T1") -> ReportPlace:
    place = ReportPlace()
    place.settle(created, place.doubts)
    return place


def stored(place: ReportPlace, batch: int, seq: int) -> None:
    place.sent(batch)
    place.stored(batch, seq)


def test_as_long_as_the_stream_is_unknown_there_is_no_place() -> None:
    place = ReportPlace()
    stored(place, 1, 7)

    assert place.as_wire() is None
    assert place.is_in_doubt

    place.settle("T1", place.doubts)
    assert place.as_wire() == {"stream": "T1", "seq": 7}


def test_a_place_counts_only_when_all_earlier_batches_are_stored() -> None:
    place = a_place()
    for batch in (1, 2, 3):
        place.sent(batch)

    place.stored(2, 12)
    assert place.as_wire() == {"stream": "T1", "seq": 0}

    place.stored(1, 13)  # the first was sent again
    assert place.as_wire() == {"stream": "T1", "seq": 13}

    place.stored(3, 14)
    assert place.as_wire() == {"stream": "T1", "seq": 14}


def test_a_batch_sent_again_is_stored_once() -> None:
    place = a_place()
    place.sent(1)
    place.sent(1)

    place.stored(1, 5)
    place.stored(1, 5)

    assert place.as_wire() == {"stream": "T1", "seq": 5}


def test_a_place_that_steps_back_puts_the_stream_in_doubt() -> None:
    place = a_place()
    stored(place, 1, 900)
    stored(place, 2, 3)

    assert place.is_in_doubt
    assert place.as_wire() == {"stream": "T1", "seq": 900}

    place.settle("T2", place.doubts)
    assert place.as_wire() == {"stream": "T2", "seq": 3}
    assert not place.is_in_doubt


def test_a_duplicate_acknowledged_late_with_its_old_place_is_no_doubt() -> None:
    place = a_place()
    place.sent(1)
    place.sent(2)
    place.stored(2, 12)

    place.stored(1, 11, is_duplicate=True)

    assert not place.is_in_doubt
    assert place.as_wire() == {"stream": "T1", "seq": 12}


def test_a_doubt_that_proves_empty_loses_nothing() -> None:
    place = a_place()
    stored(place, 1, 10)
    place.doubt()

    place.settle("T1", place.doubts)

    assert place.as_wire() == {"stream": "T1", "seq": 10}


def test_of_a_new_stream_only_what_was_stored_since_the_doubt_counts() -> None:
    place = a_place()
    stored(place, 1, 10)
    place.doubt()

    place.settle("T2", place.doubts)

    assert place.as_wire() == {"stream": "T2", "seq": 0}


def test_an_answer_asked_for_before_a_new_doubt_does_not_end_it() -> None:
    place = a_place()
    place.doubt()
    asked = place.doubts
    place.doubt()

    place.settle("T1", asked)

    assert place.is_in_doubt
