from __future__ import annotations

from pathlib import Path

import pytest

from demo import repository
from demo.errors import CommandError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    (path / "dags").mkdir(parents=True)
    (path / "dags" / "one.py").write_text("print(1)\n")
    (path / "__pycache__").mkdir()
    (path / "__pycache__" / "one.pyc").write_bytes(b"x")
    return path


@pytest.fixture
def bare(tmp_path: Path) -> str:
    path = tmp_path / "bare.git"
    path.mkdir()
    repository.WorkingCopy(path, "x", {}).git("init", "--quiet", "--bare", "--initial-branch=main")
    return str(path)


def test_the_same_folder_gives_the_same_commit_whoever_and_whenever(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.start(tmp_path / "a", "payments", folder, "first", {})
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody else")
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    second = repository.start(tmp_path / "b", "payments", folder, "first", {})
    assert first.head() == second.head()


def test_the_first_commit_has_the_fixed_author_and_date_and_no_byte_code(
    tmp_path: Path, folder: Path
) -> None:
    copy = repository.start(tmp_path / "a", "payments", folder, "first", {})
    said = copy.git("log", "-1", "--format=%an <%ae> %at %ct")
    assert said == "payments team <payments@example.com> 1767225600 1767225600\n"
    assert copy.git("ls-files").split() == ["dags/one.py"]


def test_each_commit_is_a_minute_later(tmp_path: Path, folder: Path) -> None:
    copy = repository.start(tmp_path / "a", "payments", folder, "first", {})
    (copy.directory / "two").write_text("2")
    copy.commit("second")
    assert copy.git("log", "-1", "--format=%ct").strip() == "1767225660"
    assert copy.commits() == 2


def test_a_clone_goes_on_where_the_server_is(tmp_path: Path, folder: Path, bare: str) -> None:
    copy = repository.start(tmp_path / "a", "payments", folder, "first", {})
    copy.push(bare)
    assert repository.remote_head(copy, bare) == copy.head()
    clone = repository.clone(tmp_path / "b", "payments", bare, {})
    assert (clone.head(), repository.root_commit(clone)) == (copy.head(), copy.head())
    (clone.directory / "two").write_text("2")
    assert clone.commit("second") != copy.head()
    clone.push(bare)
    assert repository.root_commit(clone) == copy.head()


def test_a_server_without_commits_has_no_head(tmp_path: Path, folder: Path, bare: str) -> None:
    copy = repository.start(tmp_path / "a", "payments", folder, "first", {})
    assert repository.remote_head(copy, bare) == ""


def test_a_failed_push_says_what_git_said(tmp_path: Path, folder: Path) -> None:
    copy = repository.start(tmp_path / "a", "payments", folder, "first", {})
    with pytest.raises(CommandError, match=r"does not (appear to be a git repository|exist)"):
        copy.push(str(tmp_path / "nothing.git"))


def test_settings_for_the_server_travel_in_the_environment_not_in_arguments() -> None:
    assert repository.settings({"http.extraHeader": "secret"}) == {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": "secret",
    }
