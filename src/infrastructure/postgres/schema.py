"""Bringing a database to this version's schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

# The package is `src/` behind a link; the migrations stand beside it.
MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations"


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Blocking: run it before the event loop, or in a thread. Safe to repeat, and for several at once."""
    command.upgrade(alembic_config(url), revision)


def migrate_down(url: str, revision: str = "base") -> None:
    command.downgrade(alembic_config(url), revision)
