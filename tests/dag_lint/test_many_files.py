"""Many files, strange files, foreign files."""

from __future__ import annotations

import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest
from tests.dag_lint.helpers import default_rules, fixed, options

from dag_lint import engine
from dag_lint.discover import find
from dag_lint.registry import RULES

AIRFLOW_2 = Path(__file__).parent / "airflow2"
DAG_FILE = """\
from datetime import timedelta
import pendulum
from airflow.sdk import DAG, task

with DAG(
    "dag_{number}", schedule="@daily", start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), catchup=False,
    max_active_runs=1, dagrun_timeout=timedelta(hours=1),
    default_args={{"execution_timeout": timedelta(minutes=5)}},
):
    @task
    def extract(): ...
    @task
    def load(rows): ...
    load(extract())
    {extra}
"""


def settings(base: Path, rules: set[str] | None = None, jobs: int = 0) -> engine.Options:
    made = options(rules if rules is not None else default_rules())
    made.base = made.root = base
    made.jobs = jobs
    return made


def test_a_thousand_files(tmp_path: Path) -> None:
    for number in range(1000):
        extra = 'print("x")' if number % 10 == 0 else "..."
        (tmp_path / f"dag_{number}.py").write_text(DAG_FILE.format(number=number, extra=extra))
    (tmp_path / "twin.py").write_text(DAG_FILE.format(number=999, extra="..."))
    report = engine.lint(find([tmp_path], []), settings(tmp_path, jobs=2))
    assert report.files == 1001
    assert not report.failures
    by_rule = {rule: sum(f.rule == rule for f in report.findings) for rule in ("L-32", "L-18")}
    assert by_rule == {"L-32": 100, "L-18": 1}
    assert len(report.findings) == 101


def test_one_process_and_several_find_the_same(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"dag_{number}.py").write_text(DAG_FILE.format(number=number % 30, extra='print("x")'))
    files = find([tmp_path], [])
    one = engine.lint(files, settings(tmp_path, jobs=1)).findings
    assert one == engine.lint(files, settings(tmp_path, jobs=2)).findings
    assert len(one) == 90


def test_the_standard_library_does_not_break_it() -> None:
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(file for file in folder.rglob("*.py") if "site-packages" not in file.parts)[::5][:300]
    assert len(files) == 300
    report = engine.lint(files, settings(folder, set(RULES)))
    assert report.failures == []
    assert report.files == 300
    # No file of the standard library makes a DAG: nothing but what holds for any code may be found.
    assert {finding.rule for finding in report.findings} <= {"L-04", "L-30", "L-32", "L-36"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "\ufeffx = 1\n",
        "x = '\x00'\n",
        "print 'python 2'\n",
        "# -*- coding: latin-1 -*-\nx = 1\n",
        "from airflow.sdk import DAG\nwith DAG(*a, **b) as d: d >> d\n",
        "from airflow.sdk import *\nDAG()\nDAG(1)\nBashOperator()\n",
        "from airflow.sdk import task\ntask()()()\ntask(task)(1)\n@task\ndef f(f=f): f()\nf(f)\n",
        "def f(): return f()\nf()\n",
        "def f(*a, **k): return g(*a, **k)\ndef g(*a, **k): return f(*a, **k)\nf(1, x=2)\n",
        "x = [x for x in x]\nx[0] >>= x\nx += 1\nx.y.z = x\ndel x\n",
        "a = b = c = []\na.append(a)\na >> a\n",
        "match x:\n    case [a, *b]: a >> b\n",
        "async def f():\n    async with a as b:\n        async for c in b: yield await c\n",
        "try:\n    pass\nexcept* E as e:\n    raise\n",
        "x = 10 ** 10 ** 10\ny = 'a' * 10 ** 9\nz = '%s' % ()\n",
        "x = " + "(" * 60 + "1" + ")" * 60 + "\n",
        "x = " + " + ".join(["1"] * 3000) + "\n",
        "class A(B):\n    x = A()\nA(task_id=1)\n",
    ],
)
def test_strange_texts(text: str, tmp_path: Path) -> None:
    file = tmp_path / "strange.py"
    file.write_text(text, encoding="utf-8")
    report = engine.lint([file], settings(tmp_path, set(RULES)))
    assert report.failures == []


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(bytes(range(256)))
    report = engine.lint([tmp_path / "binary.py"], settings(tmp_path, set(RULES)))
    assert report.failures == []
    assert {finding.rule for finding in report.findings} == {"L-36"}


def test_python_2_is_one_finding(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(
        "from airflow import DAG\nprint 'x'\npassword = 'hunter22'\nDAG('x', schedule_interval=1)\n"
    )
    report = engine.lint([tmp_path / "old.py"], settings(tmp_path))
    assert [(finding.rule, finding.line) for finding in report.findings] == [("L-36", 2)]


def test_airflowignore_and_folders_of_tools(tmp_path: Path) -> None:
    for name in (
        "dags/a.py", "dags/lib/b.py", "dags/.venv/c.py", "dags/__pycache__/d.py", "dags/old/e.py",
        "dags/old/keep.py",
        "dags/deep/x/test_f.py", "dags/g_helper.py", "dags/note.txt",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "dags/.airflowignore").write_text(
        "# comment\nlib\nold/*\n!old/keep.py\ntest_*.py\n.*_helper\\.py\n"
    )
    found = [file.relative_to(tmp_path).as_posix() for file in find([tmp_path], [])]
    assert found == ["dags/a.py", "dags/old/keep.py"]
    inside = [file.relative_to(tmp_path).as_posix() for file in find([tmp_path / "dags" / "deep"], [])]
    assert inside == []


def test_realistic_airflow_2_repository_has_no_false_alarm() -> None:
    """The files mark each line that must be found with `# !` and the rules; nothing else may be."""
    files = sorted(AIRFLOW_2.glob("*.txt"))
    assert len(files) == 3
    for file in files:
        lines = file.read_text().splitlines()
        expected = {
            (number, rule)
            for number, line in enumerate(lines, 1)
            if "# !L" in line
            for rule in line.split("# !")[1].split()
        }
        report = engine.lint_text(file.stem + ".py", file.read_text(), settings(AIRFLOW_2))
        found = {(finding.line, finding.rule) for finding in report.findings}
        assert found == expected, file.name
        compile(fixed(file.read_text()), "fixed", "exec")


def test_fixes_of_foreign_files_parse_and_are_stable() -> None:
    folder = Path(sysconfig.get_paths()["purelib"]) / "pytest"
    text = textwrap.dedent((folder / "__init__.py").read_text())
    assert fixed(text) == text
    assert sys.version_info >= (3, 11)
