"""README and docs do what they say: each page is played from its first block to its last."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import pytest
from tests.docs.blocks import Block, blocks_of
from tests.docs.pages import Page, pages
from tests.docs.playing import Play

MOST_NOT_RUN = 15
"""Raise it only with a reason that a reader would accept: what is not run may be wrong."""

WITH_BLOCKS = [page for page in pages() if "```" in page.text or "    " in page.text]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=attrgetter("name"))
def test_a_page_does_what_it_says(page: Page, play: Callable[[Page], Play]) -> None:
    playing = play(page)
    for block in blocks_of(page):
        playing.play(block)
    playing.judge()


def test_few_blocks_are_not_run_and_each_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    left_out = [block for page in WITH_BLOCKS for block in blocks_of(page) if block.note("not run") is not None]
    with capsys.disabled():
        print("".join(f"\nnot run, {_told(block)}" for block in left_out))

    assert all(block.note("not run") for block in left_out), "each says why"
    assert len(left_out) <= MOST_NOT_RUN


def _told(block: Block) -> str:
    return f"{block.place}: {block.note('not run')}"
