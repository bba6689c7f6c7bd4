"""docker-compose.yml, read."""

from __future__ import annotations

import re
from typing import Any

import yaml
from tests.install.environments import PROJECT

Service = dict[str, Any]  # Any: YAML


def read_composition() -> dict[str, Any]:  # Any: YAML
    """With the defaults where it takes something from the environment."""
    text = (PROJECT / "docker-compose.yml").read_text()
    composition: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return composition


def services_of_ours() -> dict[str, Service]:
    """Those that run this project's image."""
    services: dict[str, Service] = read_composition()["services"]
    return {name: service for name, service in services.items() if service["image"] == "rota"}
