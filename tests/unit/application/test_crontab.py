from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.application.crontab import Crontab, CrontabEntry, read_crontab
from rota.domain.errors import InvalidError
from rota.domain.time.cron import parse_cron


def entry(text: str, *, system: bool = False) -> CrontabEntry:
    """The only one."""
    found = read_crontab(text, system=system)
    assert found.faults == ()
    [only] = found.entries
    return only


def faults(text: str, *, system: bool = False) -> list[tuple[int, str]]:
    return [(fault.line, fault.message) for fault in read_crontab(text, system=system).faults]


def test_a_line_is_five_fields_and_a_command() -> None:
    assert entry("  30\t4 * *   mon-fri   /usr/bin/backup --all  ") == CrontabEntry(
        line=1, expression="30 4 * * mon-fri", command="/usr/bin/backup --all"
    )


def test_a_nickname_stands_for_five_fields() -> None:
    assert entry("@daily /usr/bin/rotate").expression == "@daily"


def test_the_system_form_has_a_user_before_the_command() -> None:
    found = entry("17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly", system=True)

    assert (found.user, found.command) == ("root", "cd / && run-parts --report /etc/cron.hourly")
    assert entry("17 * * * * root x").command == "root x"


def test_a_percent_sign_ends_the_command_and_begins_its_input() -> None:
    found = entry(r"0 5 * * * mail -s 100\% boss%Dear boss,%done%")

    assert found.command == "mail -s 100% boss"
    assert found.stdin == "Dear boss,\ndone\n"
    assert entry(r"0 5 * * * date +\%F").stdin is None


class TestDescription:
    def test_the_comment_right_above_is_the_description(self) -> None:
        text = "# About this file\n\n# Nightly backup,\n#   with everything\n0 4 * * * backup\n0 5 * * * other\n"

        first, second = read_crontab(text).entries

        assert (first.line, first.description) == (5, "Nightly backup, with everything")
        assert second.description == ""

    def test_the_last_paragraph_of_a_comment_counts(self) -> None:
        assert entry("# Header\n#\n# Backup\n0 4 * * * backup").description == "Backup"

    def test_a_setting_in_between_takes_the_comment(self) -> None:
        assert entry("# Where mail goes\nMAILTO=me\n0 4 * * * backup").description == ""

    @pytest.mark.parametrize(
        "comment",
        [
            "# m h  dom mon dow   command",
            "# For more information see crontab(5)\n#\n# m h dom mon dow user command",
            "# 0 5 * * 1 tar -zcf /var/backups/home.tgz /home/",
            "# .---------------- minute (0 - 59)\n# |  .------------- hour (0 - 23)\n# |  |\n# *  *  *  *  * command",
            "# ┌───── minute (0 - 59)\n# │ ┌─── hour\n# * * * * *",
            "#-----------",
        ],
    )
    def test_headings_drawings_and_entries_that_are_switched_off_are_none(self, comment: str) -> None:
        assert entry(f"{comment}\n0 4 * * * backup").description == ""
        assert entry(f"{comment}\n# Backup\n0 4 * * * backup").description == "Backup"


class TestSettings:
    def test_a_zone_holds_for_the_lines_after_it(self) -> None:
        text = '0 1 * * * a\nCRON_TZ=Europe/Berlin\n0 2 * * * b\nCRON_TZ = "Asia/Tokyo"\n0 3 * * * c\nCRON_TZ=\n0 4 * * * d'

        assert [each.tz for each in read_crontab(text).entries] == [None, "Europe/Berlin", "Asia/Tokyo", None]

    def test_tz_is_only_the_commands_own(self) -> None:
        found = read_crontab("TZ=Europe/Berlin\n0 1 * * * a")

        assert [each.tz for each in found.entries] == [None]
        [note] = found.notes
        assert (note.line, note.message) == (1, "TZ sets the zone of the commands, not of their times; CRON_TZ would")

    def test_other_settings_are_not_taken_over_and_noted(self) -> None:
        found = read_crontab("SHELL=/bin/sh\n'MAILTO' = \"a@b.c\"\n0 1 * * * A=1 run\n")

        assert [each.command for each in found.entries] == ["A=1 run"]
        assert [(each.line, each.message) for each in found.notes] == [
            (1, "SHELL is part of the commands' environment and is not taken over"),
            (2, "MAILTO is part of the commands' environment and is not taken over"),
        ]

    def test_after_an_unknown_zone_no_line_is_taken_until_another_is_set(self) -> None:
        found = read_crontab("CRON_TZ=Mars/Olympus\n0 1 * * * a\nCRON_TZ=UTC\n0 2 * * * b")

        assert [each.command for each in found.entries] == ["b"]
        assert [(each.line, each.message) for each in found.faults] == [
            (1, "CRON_TZ 'Mars/Olympus': unknown time zone; an IANA name such as Europe/Berlin is needed"),
            (2, "CRON_TZ 'Mars/Olympus' of line 1 is no time zone"),
        ]


class TestFaults:
    def test_reboot_is_refused_with_the_reason(self) -> None:
        assert faults("\n@reboot /usr/bin/start") == [
            (2, "@reboot names no time: it runs when a machine starts, which nothing here does")
        ]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("0 4 * *", "has less than five fields"),
            ("backup", "has less than five fields"),
            ("0 4 * * *", "has no command"),
            ("@daily", "has no command"),
            ("0 4 * * * %input", "has no command"),
            ("61 4 * * * x", "61 in the minute field is not in 0..59"),
            ("0 0 30 2 * x", "can never fire: there is no such date"),
        ],
    )
    def test_what_cannot_be_taken_over_is_named_with_its_line(self, line: str, message: str) -> None:
        assert faults(f"# Comment\n{line}\n0 4 * * * fine") == [(2, message)]

    def test_in_the_system_form_the_command_may_be_what_is_missing(self) -> None:
        assert faults("0 4 * * * root", system=True) == [(1, "has no command")]

    def test_a_file_without_end_is_refused(self) -> None:
        with pytest.raises(InvalidError, match="crontab: must have at most 100,000 lines"):
            read_crontab("\n" * 100_001)


def test_an_empty_file_has_nothing() -> None:
    assert read_crontab("") == Crontab((), (), ())


def test_lines_may_end_as_on_windows() -> None:
    assert entry("# Backup\r\n0 4 * * * backup\r\n").description == "Backup"


WORDS = st.text(st.sampled_from("*/0123456789,-@%#= \t\\\"'aZ_"), max_size=30)


@given(
    lines=st.lists(WORDS | st.sampled_from(["0 4 * * * x", "@daily y", "CRON_TZ=UTC", "# z"]), max_size=8),
    system=st.booleans(),
)
def test_every_line_is_an_entry_or_a_remark_or_says_nothing(lines: list[str], system: bool) -> None:
    found = read_crontab("\n".join(lines), system=system)

    said = [each.line for each in (*found.entries, *found.faults, *found.notes)]
    assert len(said) == len(set(said))
    for number, line in enumerate(lines, start=1):
        is_silent = not line.strip() or line.strip().startswith("#") or "CRON_TZ" in line
        assert (number in said) is not is_silent
    for each in found.entries:
        assert parse_cron(each.expression)
        assert each.command
