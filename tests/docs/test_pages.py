"""The reader of commands takes what a shell would run alike, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.pages import commands, headings

TOP = "# Page\n\n## Install\n\n```console\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.md"


def test_commands_come_in_order_with_heading_and_line(page: Path) -> None:
    page.write_text(
        f"{TOP}one $A\n\ntwo\n```\n\n## Check\n\n```text\nnot run\n```\n\n```console\nthree\n```\n"
    )
    found = commands(str(page))
    assert [(c.heading, c.line, c.number) for c in found] == [
        ("Install", "one $A", 6), ("Install", "two", 8), ("Check", "three", 18),
    ]  # fmt: skip
    assert [c.line for c in commands(str(page), "Check")] == ["three"]
    assert headings(str(page)) == ["Install", "Check"]


def test_variables_are_replaced_inside_words_and_quotes_and_a_missing_one_is_named(page: Path) -> None:
    page.write_text(f'{TOP}sed -i "s#a b#$URL#" $DIR/file --set x=$URL/y\n```\n')
    (command,) = commands(str(page))
    assert command.variables == {"URL", "DIR"}
    assert command.argv({"URL": "u v", "DIR": "d"}) == [
        "sed",
        "-i",
        "s#a b#u v#",
        "d/file",
        "--set",
        "x=u v/y",
    ]
    with pytest.raises(KeyError, match="DIR"):
        command.argv({"URL": "u"})


def test_a_backslash_at_the_end_joins_lines(page: Path) -> None:
    page.write_text(f"{TOP}helm install \\\n  --set a=b \\\n  c\nnext\n```\n")
    assert [c.line for c in commands(str(page))] == ["helm install --set a=b c", "next"]


@pytest.mark.parametrize(
    "line",
    ["$ prompt", "a | b", "a > b", "a && b", "a; b", "echo $(date)", "a # comment", "  indented", "a \\b"],
)
def test_what_only_a_shell_can_run_is_refused(page: Path, line: str) -> None:
    page.write_text(f"{TOP}{line}\n```\n")
    with pytest.raises(ValueError, match="not one plain command"):
        commands(str(page))


def test_a_heading_without_commands_is_an_error(page: Path) -> None:
    page.write_text(f"{TOP}one\n```\n")
    with pytest.raises(ValueError, match="no commands under 'Chekc'"):
        commands(str(page), "Chekc")
