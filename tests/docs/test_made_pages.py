"""What is made from the code and kept beside it is what the code would make now."""

from __future__ import annotations

import pytest
from docs.generate import metrics, settings
from docs.generate.drawings import DRAWINGS, FOLDER
from docs.generate.packages import LAYERS, imports_of_packages, layer_of
from tests.e2e.test_up import Up

from rota.entrypoints.settings import Settings


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_as_it_would_be_drawn(name: str) -> None:
    """`python -m docs.generate.drawings` draws them anew."""
    assert (FOLDER / f"{name}.svg").read_text("utf-8") == DRAWINGS[name]().svg()


def test_each_drawing_is_shown() -> None:
    shown = "".join(path.read_text("utf-8") for path in FOLDER.parent.rglob("*.md"))

    assert [name for name in DRAWINGS if f"drawings/{name}.svg" not in shown] == []


def test_the_drawing_of_the_packages_holds_its_arrows() -> None:
    """Each package imports its own layer and those further in."""
    outwards = {
        (package, other)
        for package, others in imports_of_packages().items()
        for other in others
        if LAYERS.index(layer_of(other)) < LAYERS.index(layer_of(package))
    }

    assert outwards == set()


def test_the_drawing_of_the_packages_names_every_one() -> None:
    drawn = DRAWINGS["packages"]().svg()

    names = {package.rpartition(".")[2] for package in imports_of_packages() if package not in LAYERS}
    assert {name for name in names if f">{name}</text>" not in drawn} == set()


def test_the_page_of_metrics_is_what_a_server_says(service: Up) -> None:
    """`python -m docs.generate.metrics` writes it anew."""
    told = metrics.metrics_told()
    said = metrics.metrics_of(service.http.get("/metrics").raise_for_status().text)

    assert {name: (each.kind, each.text) for name, each in said.items()} == {
        name: (each.kind, each.text) for name, each in told.items()
    }
    assert {name for name, each in said.items() if not each.labels <= told[name].labels} == set()
    assert metrics.PAGE.read_text("utf-8") == metrics.page(told)


def test_each_setting_is_explained() -> None:
    untold = [name for name, field in Settings.model_fields.items() if not field.description]

    assert untold == [], "a line below the setting says what it is for"
    assert all(f"`{name.upper()}`" in settings.page() for name in Settings.model_fields)
