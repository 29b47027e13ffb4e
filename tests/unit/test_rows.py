from __future__ import annotations

from pathlib import Path

import pytest
from tools import rows

pytest_plugins = ["pytester"]

CATALOGUE = ["A-1", "A-2", "A-3"]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    catalogue = pytester.path / "ids.txt"
    catalogue.write_text("\n".join(CATALOGUE) + "\n")
    pytester.makeini(
        f"[pytest]\ncovers_catalogue = {catalogue}\naddopts = --strict-markers\npythonpath = {rows.ROOT}\n"
    )
    pytester.makeconftest('pytest_plugins = ["tools.pytest_covers"]\n')
    return pytester


def report(project: pytest.Pytester, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    capsys.readouterr()
    assert (
        rows.main(["--root", str(project.path), "--catalogue", str(project.path / "ids.txt"), *options]) == 0
    )
    return capsys.readouterr().out.splitlines()


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


PASSING = 'import pytest\n@pytest.mark.covers("A-1", "A-3")\ndef test_it(): pass\n'


def test_the_projects_catalogue_has_421_distinct_ids() -> None:
    assert len(rows.load_catalogue()) == 421


def test_an_id_listed_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("A\nB\nA\n")
    with pytest.raises(ValueError, match="lists twice: A"):
        rows.load_catalogue(tmp_path / "ids")


def test_nothing_run_proves_nothing(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(project, capsys) == [
        "UNCOVERED A-1",
        "UNCOVERED A-2",
        "UNCOVERED A-3",
        "rows: 0 of 3 proven",
    ]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one-process", "xdist"])
def test_a_passing_test_proves_its_rows(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str], workers: tuple[str, ...]
) -> None:
    project.makepyfile(test_a=PASSING, test_b="def test_other(): pass\n")
    run(project, *workers).assert_outcomes(passed=2)
    assert report(project, capsys) == ["UNCOVERED A-2", "rows: 2 of 3 proven"]
    assert len(list((project.path / ".rows").iterdir())) == 1, "only one process may write"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("def test_it(): raise ValueError", id="call"),
        pytest.param("@pytest.fixture\ndef f(): raise ValueError\nMARK\ndef test_it(f): pass", id="setup"),
        pytest.param(
            "@pytest.fixture\ndef f():\n  yield\n  raise ValueError\nMARK\ndef test_it(f): pass",
            id="teardown",
        ),
        pytest.param("def test_it(): pytest.skip('no')", id="skip"),
        pytest.param("@pytest.mark.xfail(reason='no')\nMARK\ndef test_it(): raise ValueError", id="xfail"),
    ],
)
def test_a_later_run_that_did_not_pass_takes_the_proof_away(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    project.makepyfile(test_a=PASSING)
    run(project).assert_outcomes(passed=1)
    mark = '@pytest.mark.covers("A-1", "A-3")'
    body = body.replace("MARK", mark) if "MARK" in body else f"{mark}\n{body}"
    project.makepyfile(test_a=f"import pytest\n{body}\n")
    run(project)
    assert report(project, capsys, "--quiet") == ["rows: 0 of 3 proven"]


def test_a_later_run_of_another_test_keeps_the_proof(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    project.makepyfile(
        test_a=PASSING, test_b='import pytest\n@pytest.mark.covers("A-2")\ndef test_b(): pass\n'
    )
    run(project, "test_a.py")
    run(project, "test_b.py")
    assert report(project, capsys) == ["rows: 3 of 3 proven"]


def test_a_deleted_test_proves_nothing(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    project.makepyfile(test_a=PASSING)
    run(project)
    project.makepyfile(test_a=PASSING.replace("test_it", "test_renamed"))
    assert report(project, capsys, "--quiet") == ["rows: 0 of 3 proven"]
    (project.path / "test_a.py").unlink()
    assert report(project, capsys, "--quiet") == ["rows: 0 of 3 proven"]


def test_a_row_that_the_file_no_longer_names_is_not_proven(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    project.makepyfile(test_a=PASSING)
    run(project)
    project.makepyfile(test_a=PASSING.replace(', "A-3"', ""))
    assert report(project, capsys) == ["UNCOVERED A-2", "UNCOVERED A-3", "rows: 1 of 3 proven"]


CASES = (
    'import pytest, pathlib\n@pytest.mark.covers("A-1")\n@pytest.mark.parametrize("x", {values})\n'
    "class TestIt:\n    def test_it(self, x): assert x\n"
)


def test_one_failing_case_spoils_the_function_until_it_passes(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    project.makepyfile(test_a=CASES.format(values="[1, 0, 2]"))
    run(project).assert_outcomes(passed=2, failed=1)
    assert report(project, capsys, "--quiet") == ["rows: 0 of 3 proven"]
    run(project, "test_a.py::TestIt::test_it[1]").assert_outcomes(passed=1)
    run(project, "-k", "test_it and 2").assert_outcomes(passed=1, deselected=2)
    run(project, "-n", "2", "-k", "test_it and 2").assert_outcomes(passed=1)
    assert report(project, capsys, "--quiet") == ["rows: 0 of 3 proven"], "other cases do not heal it"
    project.makepyfile(test_a=CASES.format(values="[1, 2]"))
    run(project).assert_outcomes(passed=2)
    assert report(project, capsys, "--quiet") == ["rows: 1 of 3 proven"], "the failing case is gone"


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one-process", "xdist"])
def test_an_unknown_id_fails_the_run(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    project.makepyfile(test_a='import pytest\n@pytest.mark.covers("A-9")\ndef test_it(): pass\n')
    result = run(project, *workers)
    assert result.ret != 0
    result.assert_outcomes(errors=1 if workers else 0)
    text = result.stdout.str() + result.stderr.str()
    assert "'A-9' is not in the catalogue" in text


def test_a_mark_without_an_id_fails_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(test_a="import pytest\n@pytest.mark.covers()\ndef test_it(): pass\n")
    result = run(project)
    assert result.ret != 0
    assert "covers() needs at least one id" in result.stderr.str()


def test_collecting_only_records_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(test_a=PASSING)
    run(project, "--collect-only")
    assert not (project.path / ".rows").exists()


def test_old_runs_are_folded_without_forgetting(tmp_path: Path) -> None:
    for number in range(6):
        case = rows.Case(outcome="passed", ids=("A-1",))
        rows.write_run(tmp_path, f"{number}", rows.Run({f"t.py::test_{number}": case}, frozenset()))
    before = rows.merge(rows.read_runs(tmp_path))
    rows.compact(tmp_path, keep=3)
    assert len(list(tmp_path.iterdir())) == 3
    assert rows.merge(rows.read_runs(tmp_path)) == before


def test_fewer_rows_than_demanded_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rows.main(["--root", str(tmp_path), "--quiet", "--at-least", "1"]) == 1
    assert capsys.readouterr().out == "rows: 0 of 421 proven\n"
