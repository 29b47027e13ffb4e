"""The hooks of tests/conftest.py: a test that is skipped fails a run with CI set."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import rows

pytest_plugins = ["pytester"]

SKIPPED = {
    "call": "import pytest\ndef test_it(): pytest.skip('no server')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.skip('no server')\ndef test_it(f): pass\n",
    "mark": "import pytest\n@pytest.mark.skipif(True, reason='no server')\ndef test_it(): pass\n",
    "module": "import pytest\npytest.skip('no server', allow_module_level=True)\ndef test_it(): pass\n",
}
EXPECTED = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it(): raise ValueError\n"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS", "CI"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini(f"[pytest]\npythonpath = {rows.ROOT}\n")
    pytester.makeconftest((Path(rows.ROOT) / "tests" / "conftest.py").read_text())
    return pytester


def run(project: pytest.Pytester, body: str, *arguments: str) -> pytest.RunResult:
    project.makepyfile(test_a=body)
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one-process", "xdist"])
@pytest.mark.parametrize("how", SKIPPED)
def test_a_skip_fails_the_run_in_ci_and_says_which_and_why(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str, workers: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "true")
    done = run(project, SKIPPED[how], *workers)
    assert done.ret != 0
    done.stdout.fnmatch_lines(["*test_a.py* may not be skipped where CI is set.*no server*"])


@pytest.mark.parametrize("how", SKIPPED)
@pytest.mark.parametrize("ci", [None, "", "false"])
def test_elsewhere_a_skip_is_a_skip(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str, ci: str | None
) -> None:
    if ci is not None:
        monkeypatch.setenv("CI", ci)
    run(project, SKIPPED[how]).assert_outcomes(skipped=1)


def test_an_expected_failure_is_no_skip(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    done = run(project, EXPECTED)
    done.assert_outcomes(xfailed=1)
    assert done.ret == 0
