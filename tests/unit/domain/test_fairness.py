"""Nobody is served beyond an equal part while another is not served."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rota.domain.fairness import share, share_in_groups

WANTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 1_000), max_size=8)


def test_one_who_floods_leaves_room_for_the_quiet() -> None:
    assert share(100, {"flood": 100_000, "quiet": 3}) == {"flood": 97, "quiet": 3}


def test_all_who_flood_get_the_same() -> None:
    assert share(90, {"a": 1_000, "b": 1_000, "c": 1_000}) == {"a": 30, "b": 30, "c": 30}


def test_or_as_their_weights_have_it() -> None:
    assert share(90, {"a": 1_000, "b": 1_000}, {"a": 2.0}) == {"a": 60, "b": 30}


def test_what_cannot_be_divided_goes_to_another_each_turn() -> None:
    wants = {"a": 9, "b": 9, "c": 9}

    assert [share(1, wants, turn=turn) for turn in range(3)] == [{"a": 1}, {"b": 1}, {"c": 1}]


def test_first_among_tenants_then_among_their_lanes() -> None:
    wants = {("flood", lane): 1_000 for lane in "abcdefghi"} | {("quiet", "only"): 50}

    given = share_in_groups(100, wants)

    assert given[("quiet", "only")] == 50
    assert sum(given.values()) == 100


@given(st.integers(0, 3_000), WANTS, st.integers(0, 10))
def test_nobody_gets_more_than_wanted_and_nothing_is_left_over(budget: int, wants: dict[str, int], turn: int) -> None:
    given = share(budget, wants, turn=turn)

    assert all(0 < part <= wants[who] for who, part in given.items())
    assert sum(given.values()) == min(budget, sum(wants.values()))


@given(st.integers(1, 3_000), WANTS)
def test_whoever_gets_less_than_wanted_gets_as_much_as_anybody(budget: int, wants: dict[str, int]) -> None:
    given = share(budget, wants)

    short = [given.get(who, 0) for who, want in wants.items() if given.get(who, 0) < want]
    if short:
        assert max(given.values(), default=0) <= min(short) + 1
