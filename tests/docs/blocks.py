"""The blocks of a page of documentation, and what the page says of each.

A comment of its own, right above a block, says how it is to be taken; readers of the page do not see it:

    <!-- not run: REASON -->                 nobody runs it; these are counted
    <!-- in the background, until: TEXT -->  it goes on until the page ends; the next block waits until it has said TEXT
    <!-- fails -->                           its status is not 0
    <!-- POST /schedules -->                 the block is the body of this request, which must be accepted
    <!-- answer -->                          the block is what the one before it printed
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.docs.pages import Page

_NOTE = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_KINDS = re.compile(
    r"(?P<word>not run|in the background|fails|answer|POST|PATCH)(?:, until)?(?:: |\s+)?(?P<rest>.*)", re.DOTALL
)
_INFO = re.compile(r'(?P<language>[\w+-]+)(?:\s+title="(?P<title>[^"]+)")?\s*')


class MarkingError(Exception):
    """A page says something of a block that nobody understands."""


@dataclass(frozen=True, slots=True)
class Block:
    """`notes` are the comments above it: a word, and what follows it."""

    page: str
    line: int
    language: str
    title: str
    notes: tuple[tuple[str, str], ...]
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def note(self, word: str) -> str | None:
        """What follows the word in a comment above the block; None where there is no such comment."""
        return next((rest for each, rest in self.notes if each == word), None)


def blocks_of(page: Page) -> list[Block]:
    """In the order of the page. Raises MarkingError."""
    return list(_read(page.name, MarkdownIt().parse(page.text)))


def _read(page: str, tokens: list[Token]) -> Iterator[Block]:
    notes: list[tuple[str, str]] = []
    for token in tokens:
        line = (token.map or [0])[0] + 1
        if token.type == "html_block":
            notes += [_note(page, line, text) for text in _NOTE.findall(token.content)]
        elif token.type == "fence":
            info = _INFO.fullmatch(token.info)
            if info is None:
                raise MarkingError(f"{page}:{line}: the block does not say its language: {token.info!r}")
            title = info["title"] or ""
            yield Block(page, line, info["language"], title, tuple(notes), token.content)
            notes = []
        elif token.type == "code_block":
            raise MarkingError(f"{page}:{line}: an indented block has no language; use a fence")
        elif notes:
            raise MarkingError(f"{page}:{line}: the comment {notes[0]} is not followed by a block")


def _note(page: str, line: int, text: str) -> tuple[str, str]:
    match = _KINDS.fullmatch(text)
    if match is None:
        raise MarkingError(f"{page}:{line}: nobody knows what to do with {text!r}")
    return match["word"], match["rest"].strip()
