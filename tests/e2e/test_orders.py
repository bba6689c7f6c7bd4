"""An order to a process, taken back by whoever gave it or taken by whoever obeys: one of both has it."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.nemesis.strikes.points import _is_obeyed_after_all


def test_an_order_that_lies_there_still_is_taken_back(tmp_path: Path) -> None:
    order = tmp_path / "order"
    order.write_text("fire.begun:jam")

    assert not _is_obeyed_after_all(order)
    assert not order.exists()


def test_an_order_that_was_taken_in_the_last_moment_is_not_forgotten(tmp_path: Path) -> None:
    assert _is_obeyed_after_all(tmp_path / "order")
