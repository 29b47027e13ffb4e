from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster import prerequisites
from devcluster.console import Console
from devcluster.errors import DevclusterError
from devcluster.prerequisites import Prerequisite


def missing(package: str, tmp_path: Path) -> Prerequisite:
    return Prerequisite(package, files=(str(tmp_path / package),))


def test_what_is_there_costs_no_word(tmp_path: Path) -> None:
    out = io.StringIO()
    there = [Prerequisite("a", programs=("sh",)), Prerequisite("b", files=(str(tmp_path),))]
    prerequisites.ensure(there, Console(progress=out))
    assert out.getvalue() == ""


def test_a_user_gets_one_sentence_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(DevclusterError) as caught:
        prerequisites.ensure([missing("one", tmp_path), missing("two", tmp_path)], Console(quiet=True))
    assert str(caught.value).endswith("Install with: sudo apt-get install one two")


def test_root_has_it_installed_after_an_update_when_lists_are_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str, str], Path]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    script = f"""
    [ "$1" = update ] && touch {tmp_path}/updated && exit 0
    [ -f {tmp_path}/updated ] || exit 100
    touch {tmp_path}/one
    """
    program("apt-get", script)
    out = io.StringIO()
    prerequisites.ensure([missing("one", tmp_path)], Console(progress=out))
    assert out.getvalue().startswith("  installing one ")


def test_a_failed_installation_shows_what_apt_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str, str], Path]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    program("apt-get", "echo 'E: Unable to locate package'; exit 100")
    with pytest.raises(DevclusterError, match="Unable to locate package"):
        prerequisites.ensure([missing("one", tmp_path)], Console(quiet=True))


def test_an_installation_that_changes_nothing_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str, str], Path]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    program("apt-get", "exit 0")
    with pytest.raises(DevclusterError, match="is not there"):
        prerequisites.ensure([missing("one", tmp_path)], Console(quiet=True))
