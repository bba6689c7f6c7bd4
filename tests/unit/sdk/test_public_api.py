"""`import rota` is cheap, and a worker needs no server library."""

import json
import subprocess
import sys

HEAVY = ["nats", "httpx", "orjson", "pydantic", "structlog"]
SERVER = [
    "alembic", "asyncpg", "croniter", "dateutil", "fastapi", "faststream", "holidays", "joserfc", "opentelemetry",
    "pydantic_settings", "sqlalchemy", "starlette", "typer", "uvicorn",
]  # fmt: skip # not rich: structlog and httpx load it themselves where it is installed


def loaded_by(statement: str) -> set[str]:
    """The top-level modules, and those of rota itself, in a fresh interpreter after `statement`."""
    script = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    return set(json.loads(answer.stdout))


def test_importing_rota_loads_nothing_else() -> None:
    modules = loaded_by("import rota")

    assert modules.isdisjoint(HEAVY + SERVER)
    assert {name for name in modules if name.startswith("rota")} == {"rota"}


def test_the_whole_public_api_loads_no_server_library_and_no_server_code() -> None:
    modules = loaded_by("import rota; [getattr(rota, name) for name in rota.__all__]")

    assert modules.isdisjoint(SERVER)
    assert not [name for name in modules if name.startswith(("rota.domain", "rota.application", "rota.infrastructure"))]


def test_the_runner_loads_no_server_library() -> None:
    assert loaded_by("import rota.entrypoints.sdk.runner").isdisjoint(SERVER)


def test_what_tests_need_loads_no_server_library_until_a_server_is_asked_for() -> None:
    modules = loaded_by("import rota.testing")

    assert modules.isdisjoint([*SERVER, "pytest"])
    assert not [name for name in modules if name.startswith(("rota.domain", "rota.application", "rota.infrastructure"))]


def test_an_unknown_name_is_an_attribute_error() -> None:
    script = "import rota\ntry: rota.nonsense\nexcept AttributeError as error: print(error)"

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)

    assert answer.stdout.strip() == "module 'rota' has no attribute 'nonsense'"
