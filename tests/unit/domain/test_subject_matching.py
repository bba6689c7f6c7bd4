"""Subjects and patterns: what covers what."""

from __future__ import annotations

import re
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.domain.subject_matching import SubjectMap, covers, disjoint

WORDS = ("a", "b", "c")
SUBJECTS = [".".join(words) for length in (1, 2, 3, 4) for words in product(WORDS, repeat=length)]

plain_or_any = st.lists(st.sampled_from((*WORDS, "*")), min_size=1, max_size=4)
patterns = st.builds(
    lambda words, rest: ".".join([*words, ">"] if rest else words), plain_or_any, st.booleans()
) | st.just(">")


def by_regex(pattern: str, subject: str) -> bool:
    """The same rule, told otherwise."""
    parts = [r"[^.]+" if word == "*" else r".+" if word == ">" else re.escape(word) for word in pattern.split(".")]
    return re.fullmatch(r"\.".join(parts), subject) is not None


def matched_by(*several: str) -> set[str]:
    return {subject for subject in SUBJECTS if any(by_regex(pattern, subject) for pattern in several)}


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("orders.paid", "orders.paid", True),
        ("orders.paid", "orders.paid.late", False),
        ("orders.paid.late", "orders.paid", False),
        ("orders.*", "orders.paid", True),
        ("orders.*", "orders", False),
        ("orders.*", "orders.paid.late", False),
        ("orders.>", "orders.paid.late", True),
        ("orders.>", "orders", False),
        ("*.paid", "orders.paid", True),
        ("ord*", "orders", False),
    ],
)
def test_a_star_is_one_word_and_a_bracket_the_rest(pattern: str, subject: str, expected: bool) -> None:
    assert covers(pattern, subject) is expected


@given(patterns)
def test_a_pattern_covers_the_subjects_that_it_describes(pattern: str) -> None:
    assert {subject for subject in SUBJECTS if covers(pattern, subject)} == matched_by(pattern)


@given(patterns, patterns)
def test_a_pattern_that_covers_another_covers_all_its_subjects(pattern: str, other: str) -> None:
    if covers(pattern, other):
        assert matched_by(other) <= matched_by(pattern)


@given(st.lists(patterns, max_size=8))
def test_disjoint_patterns_leave_nothing_out_and_share_nothing(given_ones: list[str]) -> None:
    found = disjoint(given_ones)

    assert matched_by(*given_ones) <= matched_by(*found)
    assert not any(matched_by(one) & matched_by(other) for one, other in combinations(found, 2))


def test_patterns_that_share_nothing_stay_as_they_are() -> None:
    assert disjoint(["b.*", "a.b", "a.c", "a.b"]) == ("a.b", "a.c", "b.*")


def test_the_wider_takes_the_place_of_the_narrower() -> None:
    assert disjoint(["a.b", "a.*", "a.b.c"]) == ("a.*", "a.b.c")


def test_what_overlaps_is_widened_to_what_covers_both() -> None:
    assert disjoint(["a.*.c", "a.b.*"]) == ("a.*.*",)
    assert disjoint(["a.*.c", "a.b.>"]) == ("a.*.>",)


@given(st.lists(patterns, max_size=8))
def test_a_map_finds_the_values_of_every_pattern_that_covers_the_subject(given_ones: list[str]) -> None:
    values: SubjectMap[int] = SubjectMap()
    for number, pattern in enumerate(given_ones):
        values.add(pattern, number)

    for subject in SUBJECTS:
        expected = [number for number, pattern in enumerate(given_ones) if covers(pattern, subject)]
        assert sorted(values.find(subject)) == expected
