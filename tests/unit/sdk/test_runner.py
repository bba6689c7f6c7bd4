"""Finding a worker by name."""

from pathlib import Path

import pytest

from rota import Worker
from rota.entrypoints.sdk.runner import load_worker


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_worker_is_found_in_a_module_of_the_current_folder(here: Path) -> None:
    (here / "found_jobs.py").write_text("from rota import Worker\nclass box: worker = Worker()\nworker = box.worker\n")

    assert isinstance(load_worker("found_jobs:worker"), Worker)
    assert isinstance(load_worker("found_jobs:box.worker"), Worker)


@pytest.mark.parametrize("target", ["nothing", "nothing:", ":worker", ""])
def test_a_target_has_a_module_and_a_name(target: str) -> None:
    with pytest.raises(ValueError, match="module:worker"):
        load_worker(target)


@pytest.mark.parametrize("target", ["json:dumps", "json:nowhere", "json:decoder.nowhere"])
def test_a_target_must_be_a_worker(target: str) -> None:
    with pytest.raises(ValueError, match="is no Worker"):
        load_worker(target)


def test_a_missing_module_is_an_import_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        load_worker("no_such_module_anywhere:worker")
