"""Small pieces of Markdown."""

from __future__ import annotations


def cell(text: str) -> str:
    """In a table: on one line, its bars no borders."""
    return " ".join(text.split()).replace("|", "\\|")
