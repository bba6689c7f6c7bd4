"""`rota migrate`: bring the database to this version's schema."""

from __future__ import annotations


def migrate() -> None:
    """Bring the database at POSTGRES_URL to this version's schema; safe to repeat."""
    from rota.entrypoints.bootstrap.embedded import migrate_database
    from rota.entrypoints.cli.fail import failing_clearly
    from rota.entrypoints.settings import read_settings

    with failing_clearly():
        migrate_database(read_settings())
