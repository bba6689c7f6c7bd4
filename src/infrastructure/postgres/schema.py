"""Bringing a database to this version's schema."""

from __future__ import annotations

from alembic import command
from alembic.config import Config

MIGRATIONS = "rota:migrations"
"""In the package, where a wheel has them; a checkout has them at its top, and a link in `src/`."""


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["url"] = url
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Blocking: run it before the event loop, or in a thread. Safe to repeat, and for several at once."""
    command.upgrade(alembic_config(url), revision)


def migrate_down(url: str, revision: str = "base") -> None:
    command.downgrade(alembic_config(url), revision)
