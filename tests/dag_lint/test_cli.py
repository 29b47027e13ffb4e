"""The command line: exit codes, formats, settings, suppression, git."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest

from dag_lint.cli import main

GOOD = "x = 1\n"
BAD = 'from airflow.sdk import DAG\nDAG("a", schedule_interval=None, catchup=False, max_active_runs=1)\n'
TENANT = """\
apiVersion: airflowtenants.io/v1alpha1
kind: AirflowTenant
metadata: {name: ml}
spec:
  owner: {team: ml}
  pools: [{name: gpu_pool, slots: 2}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(list(argv))
    out, err = capsys.readouterr()
    return code, out, err


def test_exit_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.py").write_text(GOOD)
    Path("bad.py").write_text(BAD)
    assert run(capsys, "good.py")[0] == 0
    assert run(capsys, "bad.py")[0] == 1
    assert run(capsys, "missing.py")[0] == 2
    assert run(capsys, "--select", "L-99", "good.py")[0] == 2
    assert run(capsys, "--no-such-option")[0] == 2
    assert run(capsys, "--explain", "L-77")[0] == 2
    assert run(capsys, "--version")[0] == 0


def test_text_names_place_rule_and_remedy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.py").write_text(BAD)
    _code, out, _ = run(capsys, "bad.py", "--statistics")
    assert "bad.py:2:10: L-01 error: `schedule_interval` is removed in Airflow 3; write `schedule=`\n" in out
    assert "    1 L-01 schedule-argument" in out
    assert out.endswith("1 file checked: 1 error, 0 warnings; 1 can be repaired with --fix\n")
    assert "\033" not in out


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.py").write_text(BAD)
    report = json.loads(run(capsys, "bad.py", "--format", "json")[1])
    assert (report["files"], report["errors"], report["warnings"]) == (1, 1, 0)
    assert report["findings"] == [
        {
            "path": "bad.py", "line": 2, "column": 10, "end_line": 2, "rule": "L-01",
            "name": "schedule-argument", "fixable": True,
            "severity": "error", "message": "`schedule_interval` is removed in Airflow 3; write `schedule=`",
        }
    ]  # fmt: skip


def test_sarif(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a b.py").write_text(BAD)
    report = json.loads(run(capsys, ".", "--format", "sarif")[1])
    assert report["version"] == "2.1.0"
    assert report["$schema"].endswith("sarif-2.1.0.json")
    (single,) = report["runs"]
    rules = single["tool"]["driver"]["rules"]
    assert len(rules) == 41
    for rule in rules:
        assert set(rule) == {
            "id",
            "name",
            "shortDescription",
            "fullDescription",
            "help",
            "defaultConfiguration",
        }
        assert rule["shortDescription"]["text"]
        assert rule["help"]["markdown"].count("```") == 4
        assert rule["defaultConfiguration"]["level"] in {"error", "warning"}
    (result,) = single["results"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "L-01"
    assert result["level"] == "error"
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20b.py"},
        "region": {"startLine": 2, "startColumn": 10},
    }


def test_github(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.py").write_text(BAD)
    out = run(capsys, "bad.py", "--format", "github")[1]
    assert out == (
        "::error file=bad.py,line=2,col=10,endLine=2,title=L-01 schedule-argument::"
        "`schedule_interval` is removed in Airflow 3; write `schedule=`\n"
    )


def test_output_to_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.py").write_text(BAD)
    code, out, _ = run(capsys, "bad.py", "--format", "json", "--output", "report.json")
    assert (code, out) == (1, "")
    assert json.loads(Path("report.json").read_text())["errors"] == 1


def test_select_ignore_and_severity(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.py").write_text('from airflow.sdk import DAG\nDAG("a", schedule_interval="@daily")\n')
    rules = {line.split()[1] for line in run(capsys, "bad.py")[1].splitlines() if line.startswith("bad.py")}
    assert rules == {"L-01", "L-08", "L-21"}
    assert "L-08" not in run(capsys, "bad.py", "--ignore", "l-8")[1]
    only = run(capsys, "bad.py", "--severity", "error")[1]
    assert "L-01" in only
    assert "L-08" not in only
    assert run(capsys, "bad.py", "--select", "L-06,L-20", "--ignore", "L-20")[0] == 0
    assert "L-20" in run(capsys, "bad.py", "--select", "conventions")[1]


def test_explain_and_list(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--explain", "l7")
    assert code == 0
    assert out.startswith("L-07 retries-with-backoff (warning; on by default)")
    assert "Bad:\n" in out
    assert "Good:\n" in out
    listing = run(capsys, "--list-rules")[1]
    assert len(listing.splitlines()) == 41


def test_help_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "--help")[1]
    for part in ("examples:", "exit codes:", "--changed-since", "ignore[L-04] reason:"):
        assert part in out


def test_suppression_needs_a_reason_and_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "from airflow.sdk import DAG\n"
    call = 'DAG("a", schedule_interval=None, catchup=False, max_active_runs=1)'
    Path("a.py").write_text(f"{head}{call}  # dag-lint: ignore[L-01] reason: shown on purpose\n")
    code, out, _ = run(capsys, "a.py")
    assert (code, out) == (0, "1 file checked, no findings, 1 suppressed\n")
    Path("a.py").write_text(f"{head}# dag-lint: ignore[L-01] reason: shown on purpose\n\n{call}\n")
    assert run(capsys, "a.py")[0] == 0
    Path("a.py").write_text(
        head
        + 'with DAG(\n    "a",\n    schedule_interval=None,  # dag-lint: ignore[L-01,L-21] reason: both\n'
        + "    catchup=False,\n):\n    pass\n"
    )
    assert run(capsys, "a.py")[0] == 0
    Path("a.py").write_text(
        "from airflow.sdk import task\n@task(\n    trigger_rule='dummy'\n"
        ")  # dag-lint: ignore[L-39] reason: shown\n"
        "def f(): ...\nf()\n"
    )
    assert run(capsys, "a.py")[0] == 0
    for comment, text in (
        ("ignore[L-01]", "gives its reason"),
        ("ignore reason: x", "names its rules"),
        ("ignore[L-01,L-77] reason: x", "unknown rule"),
        ("ignore[L-01,L-04] reason: x", "suppression of L-04 hides nothing"),
        ("ingore[L-01] reason: x", "misspelt comment suppresses nothing"),
        ("disable[L-01] reason: x", "misspelt comment suppresses nothing"),
        ("idempotant reason: x", "misspelt comment suppresses nothing"),
    ):
        Path("a.py").write_text(f"{head}{call}  # dag-lint: {comment}\n")
        code, out, _ = run(capsys, "a.py")
        assert code == 1
        assert "a.py:2:1: L-00 warning" in out
        assert text in out
    for comment in ("dag_lint: ignore[L-01] reason: x", "dag-lint ignore[L-01] reason: x"):
        Path("a.py").write_text(f"{head}{call}  # {comment}\n")
        assert "L-00 warning: a misspelt comment" in run(capsys, "a.py")[1]
    for comment in (
        "dag-lint: see the README",
        "dag-lint finds it",
        "dag-lint",
        "dag lint ignores this file",
    ):
        Path("a.py").write_text(f"x = 1  # {comment}\n")
        assert run(capsys, "a.py")[0] == 0
    # A rule that does not run cannot tell whether its suppression is idle.
    Path("a.py").write_text("x = 1  # dag-lint: ignore[L-10] reason: x\n")
    assert run(capsys, "a.py")[0] == 0
    Path("a.py").write_text('TEXT = "# dag-lint: ignore[L-01]"\n')
    assert run(capsys, "a.py")[0] == 0


def test_settings_of_pyproject_and_dag_lint_toml(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("dags/old").mkdir(parents=True)
    Path("dags/a.py").write_text(BAD)
    Path("dags/old/b.py").write_text(BAD.replace('"a"', '"b"'))
    Path("pyproject.toml").write_text('[tool.dag-lint]\nignore = ["L-01"]\n')
    assert run(capsys, "dags")[0] == 0
    assert run(capsys, "dags", "--isolated")[0] == 1
    assert run(capsys, "dags", "--select", "L-01")[0] == 1
    Path("pyproject.toml").write_text('[tool.dag-lint.per-file-ignores]\n"dags/old/*.py" = ["L-01"]\n')
    out = run(capsys, "dags")[1]
    assert "dags/a.py" in out
    assert "dags/old" not in out
    Path("dags/dag-lint.toml").write_text('exclude = ["*.py"]\n')
    assert run(capsys, "dags")[1] == "0 files checked, no findings\n"
    Path("other.toml").write_text('select = ["L-08"]\n')
    assert run(capsys, "dags", "--config", "other.toml")[0] == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("selct = []", "unknown key 'selct'"),
        ('select = "L-01"', "key 'select' must be list[str]"),
        ('select = ["L-99"]', "key 'select': unknown rule 'L-99'"),
        ('[per-file-ignores]\n"*.py" = ["X"]', "per-file-ignores.*.py"),
        ("min-poke-interval = true", "key 'min-poke-interval' must be int"),
        ('team-folder = "("', "key 'team-folder'"),
        ("select = [", "dag-lint.toml: not valid TOML: "),
        ('tenants = ["gone.yaml"]', "dag-lint.toml: key 'tenants': "),
        ('tenants = ["gone.yaml"]', "gone.yaml: No such file or directory\n"),
    ],
)
def test_bad_settings_name_file_and_key(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, named: str
) -> None:
    Path("dag-lint.toml").write_text(text + "\n")
    Path("a.py").write_text(GOOD)
    code, out, err = run(capsys, "a.py")
    assert (code, out) == (2, "")
    assert "dag-lint.toml" in err
    assert named in err


@pytest.mark.covers("L-25")
def test_tenant_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tenants").mkdir()
    Path("tenants/ml.yaml").write_text("kind: Namespace\n---\n" + TENANT)
    Path("a.py").write_text(
        "from airflow.providers.standard.operators.bash import BashOperator\n"
        'BashOperator(task_id="a", bash_command="x", pool="gpu")\n'
    )
    assert run(capsys, "a.py", "--select", "L-25")[0] == 0
    for name in ("tenants/ml.yaml", "tenants"):
        code, out, _ = run(capsys, "a.py", "--select", "L-25", "--tenant", name)
        assert code == 1
        assert "pool 'gpu' is not in the tenant's file; known are default_pool, gpu_pool" in out
    Path("dag-lint.toml").write_text('tenants = ["tenants/ml.yaml"]\n')
    assert run(capsys, "a.py", "--select", "L-25")[0] == 1
    Path("empty.yaml").write_text("kind: Namespace\n")
    code, _, err = run(capsys, "a.py", "--tenant", "empty.yaml")
    assert code == 2
    assert "empty.yaml: holds no AirflowTenant" in err
    Path("broken.yaml").write_text("kind: AirflowTenant\nspec: []\n")
    assert run(capsys, "a.py", "--tenant", "broken.yaml")[0] == 2


def test_standard_input(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def give(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    give(BAD)
    code, out, _ = run(capsys, "-", "--stdin-filename", "dags/x.py")
    assert code == 1
    assert out.startswith("dags/x.py:2:10: L-01")
    give(BAD)
    code, out, _ = run(capsys, "-", "--fix")
    assert (code, out) == (0, BAD.replace("schedule_interval", "schedule"))


def test_fix_and_diff(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("a.py")
    file.write_bytes(BAD.replace("\n", "\r\n").encode())
    code, out, _ = run(capsys, "a.py", "--diff")
    assert code == 1
    assert '+DAG("a", schedule=None' in out
    assert b"schedule_interval" in file.read_bytes()
    code, out, err = run(capsys, "a.py", "--fix")
    assert code == 0
    assert "dag-lint: 1 repair in 1 file\n" in err
    assert file.read_bytes() == BAD.replace("schedule_interval", "schedule").replace("\n", "\r\n").encode()
    assert run(capsys, "a.py", "--diff")[:2] == (0, "")


def test_fix_leaves_suppressed_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = BAD.rstrip("\n") + "  # dag-lint: ignore[L-01] reason: shown on purpose\n"
    Path("a.py").write_text(text)
    assert run(capsys, "a.py", "--fix")[0] == 0
    assert Path("a.py").read_text() == text


@pytest.mark.covers("L-40")
def test_changed_since(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*argv: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@x", *argv], check=True, capture_output=True
        )

    git("init", "-q", "-b", "main")
    Path("dags").mkdir()
    for name in ("old", "edited", "deleted"):
        Path(f"dags/{name}.py").write_text(BAD)
    git("add", ".")
    git("commit", "-qm", "x")
    Path("dags/edited.py").write_text(BAD + "# edited\n")
    Path("dags/new file.py").write_text(BAD)
    Path("dags/deleted.py").unlink()
    code, out, _ = run(capsys, "dags", "--changed-since", "HEAD", "--select", "L-01")
    assert code == 1
    assert {line.split(":")[0] for line in out.splitlines() if line.startswith("dags")} == {
        "dags/edited.py",
        "dags/new file.py",
    }
    assert "2 files checked" in out
    code, _, err = run(capsys, "dags", "--changed-since", "nothing")
    assert code == 2
    assert "nothing" in err
    assert run(capsys, "dags", "--changed-since=--output=x")[0] == 2
