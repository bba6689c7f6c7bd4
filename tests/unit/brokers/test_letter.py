from __future__ import annotations

from tests.unit.brokers.parcels import SCHEDULE, TRACE, a_parcel

from rota.infrastructure.brokers.letter import letter_of


def test_a_letter_carries_the_payload_as_it_is_and_the_run_beside_it() -> None:
    parcel = a_parcel(
        payload='{ "to": "a@b" }', schedule_id=SCHEDULE, attempt=2, correlation_id="order-9", traceparent=TRACE
    )

    letter = letter_of(parcel, "mails.out")

    assert (letter.to, letter.id, letter.body) == ("acme.mails.out", str(parcel.run_id), b'{ "to": "a@b" }')
    assert letter.correlation_id == "order-9"
    assert letter.headers == {
        "Rota-Run-Id": str(parcel.run_id),
        "Rota-Attempt": "2",
        "Rota-Scheduled-For": "2026-03-02T12:00:00Z",
        "traceparent": TRACE,
    }


def test_every_attempt_of_a_run_has_one_id() -> None:
    first = a_parcel()
    second = a_parcel(run_id=first.run_id, attempt=2)

    assert letter_of(first, "mails").id == letter_of(second, "mails").id


def test_runs_of_one_schedule_stay_in_order_and_a_run_of_none_stands_alone() -> None:
    planned, alone = a_parcel(schedule_id=SCHEDULE), a_parcel()

    assert letter_of(planned, "mails").order == str(SCHEDULE)
    assert letter_of(alone, "mails").order == str(alone.run_id)


def test_without_a_payload_the_body_is_null_and_without_a_correlation_id_it_is_the_runs() -> None:
    parcel = a_parcel()

    letter = letter_of(parcel, "mails")

    assert letter.body == b"null"
    assert letter.correlation_id == str(parcel.run_id)
    assert "traceparent" not in letter.headers
