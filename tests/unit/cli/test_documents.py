"""Files that commands are told, and what `--set` says."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from rota.entrypoints.cli.documents import DocumentError, read_definitions, read_document, read_object, read_patch


def a_file(directory: Path, text: str, name: str = "file.yaml") -> str:
    path = directory / name
    path.write_text(dedent(text))
    return str(path)


def refused(directory: Path, text: str, name: str = "file.yaml") -> str:
    """Why, without the file's name."""
    file = a_file(directory, text, name)
    with pytest.raises(DocumentError) as caught:
        read_document(file)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{file}: ")


class TestYaml:
    def test_what_is_said_plainly_is_read_as_yaml_1_2_says(self, tmp_path: Path) -> None:
        file = a_file(
            tmp_path,
            """
            country: NO
            at: 17:30
            day: 2026-12-24
            instant: 2026-12-24T09:00:00Z
            flags: [on, true, False]
            numbers: [1, -2.5, 1e3, .5]
            texts: ["17", '1', 1.2.3, 0x10, .inf]
            nothing: [~, null, ]
            empty:
            """,
        )

        assert read_document(file) == {
            "country": "NO",
            "at": "17:30",
            "day": "2026-12-24",
            "instant": "2026-12-24T09:00:00Z",
            "flags": ["on", True, False],
            "numbers": [1, -2.5, 1000.0, 0.5],
            "texts": ["17", "1", "1.2.3", "0x10", ".inf"],
            "nothing": [None, None],
            "empty": None,
        }

    def test_what_is_said_once_may_be_used_again(self, tmp_path: Path) -> None:
        file = a_file(
            tmp_path,
            """
            usual: &usual {queue: reports, timeoutSec: 60}
            jobs:
              - {<<: *usual, name: a}
              - {name: b, timeoutSec: 5, <<: [*usual, {timeoutSec: 7, priority: 1}]}
              - *usual
            """,
        )

        assert read_document(file)["jobs"] == [
            {"name": "a", "queue": "reports", "timeoutSec": 60},
            {"name": "b", "queue": "reports", "timeoutSec": 5, "priority": 1},
            {"queue": "reports", "timeoutSec": 60},
        ]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("a: 1\nb: [", "(line 2, column 5)"),
            ("a: 1\na: 2", "a: is said twice (line 2, column 1)"),
            ("[a]: 1", "a name must be a text (line 1, column 1)"),
            ("&a [*a]", "contains itself"),
            ("a: !!binary aGk=", "tags are not read"),
            ("a: !python/object:os.system {}", "tags are not read"),
            ("<<: 1", "<<: must be an object"),
            ("a: \x00", "not YAML: "),
            ("", "is empty"),
            ("# nothing\n---\n", "is empty"),
        ],
    )
    def test_what_cannot_be_read_is_told_with_its_place(self, tmp_path: Path, text: str, why: str) -> None:
        assert why in refused(tmp_path, text)

    def test_several_documents_are_a_list(self, tmp_path: Path) -> None:
        assert read_document(a_file(tmp_path, "name: a\n---\nname: b\n")) == [{"name": "a"}, {"name": "b"}]


class TestFiles:
    def test_json_is_read_as_json(self, tmp_path: Path) -> None:
        assert read_document(a_file(tmp_path, '{"a":\t[1, null]}', "file.json")) == {"a": [1, None]}
        assert refused(tmp_path, "a: 1", "file.json").startswith("not JSON: ")

    def test_one_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(DocumentError, match="No such file"):
            read_document(str(tmp_path / "none.yaml"))

    def test_one_that_is_no_text_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file.yaml").write_bytes(b"\xff\xfe\xff")

        with pytest.raises(DocumentError, match="file.yaml: 'utf-8'"):
            read_document(str(tmp_path / "file.yaml"))

    def test_definitions_are_objects(self, tmp_path: Path) -> None:
        assert read_definitions(a_file(tmp_path, "queue: a")) == ([{"name": None, "queue": "a"}], False)
        assert read_definitions(a_file(tmp_path, "[{name: a}]")) == ([{"name": "a"}], True)
        with pytest.raises(DocumentError, match="1: must be an object"):
            read_definitions(a_file(tmp_path, "[{name: a}, 17]"))
        with pytest.raises(DocumentError, match="must be one object"):
            read_object(a_file(tmp_path, "[{name: a}, {name: b}]"))
        with pytest.raises(DocumentError, match="must be one object"):
            read_object(a_file(tmp_path, "[]"))


class TestPatches:
    def test_what_is_set_goes_before_the_file(self, tmp_path: Path) -> None:
        file = a_file(tmp_path, "misfire: {graceSec: 5, policy: SKIP}")

        patch = read_patch(file, ["misfire.graceSec=60", "labels.team=bi", "maxRuns=null", 'name="17"', "tz=UTC"])

        assert patch == {
            "misfire": {"graceSec": 60, "policy": "SKIP"},
            "labels": {"team": "bi"},
            "maxRuns": None,
            "name": "17",
            "tz": "UTC",
        }

    @pytest.mark.parametrize("said", ["enabled", "=1", "a..b=1", ".a=1"])
    def test_what_is_no_field_with_a_value_is_refused(self, said: str) -> None:
        with pytest.raises(DocumentError, match="must be FIELD=VALUE"):
            read_patch(None, [said])

    def test_so_is_nothing_at_all(self) -> None:
        with pytest.raises(DocumentError, match="nothing is to change"):
            read_patch(None, [])
