"""Where a program's token is kept."""

from pathlib import Path

import pytest

from rota.entrypoints.sdk.token import kept_token


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "token"
    monkeypatch.delenv("ROTA_TOKEN", raising=False)
    monkeypatch.setenv("ROTA_TOKEN_FILE", str(file))
    return file


def test_it_is_what_the_file_holds(file: Path) -> None:
    file.write_text("abc.def\n")

    assert kept_token() == "abc.def"


def test_the_environment_s_own_comes_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("of the file")
    monkeypatch.setenv("ROTA_TOKEN", "of the environment")

    assert kept_token() == "of the environment"


def test_there_may_be_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROTA_TOKEN_FILE")

    assert kept_token() is None


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), (b" \n", "is empty"), (b"\xff", "ascii")])
def test_a_file_that_holds_none_is_an_error_that_names_the_setting(
    file: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ValueError, match=rf"ROTA_TOKEN_FILE: .*{message}"):
        kept_token()
