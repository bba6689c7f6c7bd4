"""Free slots are shared fairly over lanes, and an idle lane costs a busy one nothing."""

from tests.unit.sdk.conftest import an_attempt

from rota.entrypoints.sdk.lanes import ANSWER_WAIT, PULL_WAIT, Lane, Lanes, Pull

NOW = 1000.0


def some_lanes(*names: str, busy: str = "") -> tuple[Lanes, dict[str, Lane]]:
    """Lanes by name; those in `busy` had their last pull filled."""
    lanes = {name: Lane(name, "ROTA_WORK", name) for name in names}
    for name in busy:
        lanes[name].sweeps = True
    return Lanes(list(lanes.values())), lanes


def asked(pulls: list[Pull]) -> dict[str, int]:
    return {pull.lane.job: pull.batch for pull in pulls}


def test_an_idle_lane_is_probed_for_one_message() -> None:
    lanes, _ = some_lanes("a", "b")

    pulls = lanes.pulls(10, NOW)

    assert asked(pulls) == {"a": 1, "b": 1}
    assert not any(pull.is_sweep for pull in pulls)


def test_a_filled_probe_is_followed_by_a_sweep_of_all_the_room() -> None:
    lanes, by_name = some_lanes("a", "b")
    lanes.pulls(10, NOW)
    by_name["a"].filled_by_one()

    [pull] = lanes.pulls(10, NOW)

    assert (pull.lane.job, pull.batch, pull.is_sweep) == ("a", 10, True)


def test_busy_lanes_share_the_room_and_idle_ones_take_none_of_it() -> None:
    lanes, _ = some_lanes("a", "b", "c", "d", busy="abc")

    assert asked(lanes.pulls(10, NOW)) == {"d": 1, "a": 4, "b": 3, "c": 3}


def test_when_there_is_less_room_than_lanes_they_take_turns() -> None:
    lanes, by_name = some_lanes("a", "b", "c", busy="abc")
    served = []
    for _ in range(6):
        [pull] = lanes.pulls(1, NOW)
        served.append(pull.lane.job)
        by_name[pull.lane.job].filled_by_one()

    assert sorted(served) == ["a", "a", "b", "b", "c", "c"]


def test_a_sweep_that_is_out_counts_against_the_room() -> None:
    lanes, by_name = some_lanes("a", "b", busy="ab")
    assert asked(lanes.pulls(8, NOW)) == {"a": 4, "b": 4}
    for _ in range(4):
        by_name["a"].filled_by_one()

    assert asked(lanes.pulls(6, NOW)) == {"a": 2}


def test_without_room_nothing_is_asked_for() -> None:
    lanes, _ = some_lanes("a", "b", busy="a")

    assert lanes.pulls(0, NOW) == []


def test_a_swept_lane_is_probed_again() -> None:
    lanes, by_name = some_lanes("a", busy="a")
    lanes.pulls(10, NOW)
    by_name["a"].filled_by_one()

    by_name["a"].came_up_empty()

    [pull] = lanes.pulls(10, NOW)
    assert (pull.batch, pull.is_sweep) == (1, False)


def test_a_lane_in_trouble_rests_ever_longer_and_harms_no_other() -> None:
    lanes, by_name = some_lanes("a", "b")
    rests = []
    now = NOW
    for _ in range(5):
        lanes.pulls(10, now)
        by_name["a"].failed(now)
        assert by_name["b"].due == 1
        waited = now
        while not by_name["a"].wants(waited):
            waited += 0.01
        rests.append(waited - now)
        now = waited

    assert 0.1 < rests[0] < 0.3
    assert all(rest <= 2.01 for rest in rests)
    assert rests[-1] >= 1.0


def test_a_pull_without_an_answer_is_given_up_after_its_own_time() -> None:
    lanes, by_name = some_lanes("a", "b", busy="b")

    lanes.pulls(10, NOW)

    assert by_name["a"].given_up_at == NOW + PULL_WAIT + ANSWER_WAIT
    assert by_name["b"].given_up_at == NOW + ANSWER_WAIT


def test_a_late_message_of_an_old_pull_does_no_harm() -> None:
    lanes, by_name = some_lanes("a")
    lanes.pulls(10, NOW)
    by_name["a"].forget()

    by_name["a"].filled_by_one()

    assert by_name["a"].due == 0
    assert asked(lanes.pulls(10, NOW)) == {"a": 1}


def test_claimed_attempts_start_in_turns_over_lanes_oldest_first() -> None:
    lanes, by_name = some_lanes("a", "b", "c")
    by_name["a"].waiting.extend(an_attempt(f"a{n}") for n in range(5))
    by_name["c"].waiting.extend(an_attempt(f"c{n}") for n in range(2))

    started = [attempt.item.run_id for attempt in lanes.next_claimed(6)]

    assert started == ["a0", "c0", "a1", "c1", "a2", "a3"]
    assert [attempt.item.run_id for attempt in lanes.next_claimed(6)] == ["a4"]
    assert lanes.next_claimed(6) == []
