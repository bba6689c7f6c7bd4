"""What is in the wheel, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.specifiers import SpecifierSet
from tests.install.environments import PROJECT, metadata_of


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_it_is_for_every_machine(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_it_holds_the_package_with_all_migrations_and_nothing_else(names: set[str]) -> None:
    code = {f"rota/{file.relative_to(PROJECT / 'src')}" for file in (PROJECT / "src").rglob("*.py")}
    migrations = {f"rota/migrations/{file.relative_to(PROJECT / 'migrations')}" for file in _migrations()}

    assert len(migrations) > 9
    assert names == code | migrations | {"rota/py.typed", "rota/migrations/script.py.mako"}


def test_a_checkout_s_link_leads_to_the_migrations_at_its_top() -> None:
    link = PROJECT / "src" / "migrations"

    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == (PROJECT / "migrations").resolve()


def test_it_says_which_pythons_and_licence(wheel: Path) -> None:
    said = metadata_of(wheel)
    classified = [each.rpartition(" :: ")[2] for each in said.classifiers or [] if ":: Python :: 3." in each]

    assert said.requires_python == SpecifierSet(">=3.11")
    assert classified == ["3.11", "3.12", "3.13"]
    assert said.license_expression == "MIT"


def _migrations() -> list[Path]:
    return list((PROJECT / "migrations").rglob("*.py"))
