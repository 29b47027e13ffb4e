"""The chart's bundle over git-sync's folders, with a real scheduler and a real DAG processor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.airflow.environment import ROOT, airflow_bin
from tests.airflow.server import AirflowServer, environment, wait_until

MODULE = ROOT / "charts" / "airflow-tenant" / "files" / "tenant_bundles.py"
V1, V2 = "1" * 40, "2" * 40

DAG = """
import os, pathlib, time
from airflow.sdk import DAG, task
from version import VERSION

OUT = pathlib.Path(os.environ["TEST_OUT"])

with DAG("versions", schedule=None):
    @task
    def first(run_id=None):
        (OUT / f"{run_id}.first").write_text(VERSION)
        while not (OUT / f"{run_id}.go").exists():
            time.sleep(0.1)

    @task
    def second(run_id=None):
        from late import LATE  # imported by the task, not by the parser
        (OUT / f"{run_id}.second").write_text(VERSION + LATE)

    first() >> second()
"""


def publish(root: Path, commit: str, version: str, *, extra: dict[str, str] | None = None) -> None:
    """What git-sync does after a fetch: a new tree beside the others, then the link in one step."""
    dags = root / ".worktrees" / commit / "dags"
    dags.mkdir(parents=True)
    files = {"versions.py": DAG, "version.py": f"VERSION = {version!r}\n", "late.py": f"LATE = {version!r}\n"}
    for name, text in (files | (extra or {})).items():
        (dags / name).write_text(text)
    (root / "new").symlink_to(f".worktrees/{commit}")
    os.replace(root / "new", root / "current")


def settings(root: Path, **kwargs: Any) -> dict[str, str]:
    bundle = {
        "name": "main",
        "classpath": "tenant_bundles.GitSyncDagBundle",
        "kwargs": {"root": str(root), "subdir": "dags", "refresh_interval": 1} | kwargs,
    }
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    }


def install(home: Path) -> None:
    """Put the module where the chart mounts it: on Airflow's own configuration path."""
    (home / "config").mkdir(parents=True)
    shutil.copyfile(MODULE, home / "config" / MODULE.name)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[AirflowServer]:
    """Airflow with one bundle at V1, DAGs parsed and run."""
    install(tmp_path)
    publish(tmp_path / "git", V1, "v1")
    (tmp_path / "out").mkdir()
    server = AirflowServer.start(tmp_path, settings(tmp_path / "git") | {"TEST_OUT": str(tmp_path / "out")})
    server.run("dag-processor")
    server.run("scheduler", "--skip-serve-logs")
    yield server
    server.stop()


def bundle_version(server: AirflowServer) -> str | None:
    dags = server.call("GET", "/api/v2/dags?bundle_name=main")["dags"]
    return dags[0]["bundle_version"] if dags else None


def trigger(server: AirflowServer, run_id: str) -> None:
    server.call("POST", "/api/v2/dags/versions/dagRuns", {"logical_date": None, "dag_run_id": run_id})


def state(server: AirflowServer, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = server.call("GET", f"/api/v2/dags/versions/dagRuns/{run_id}")
    return run


def test_a_push_is_visible_at_once_and_running_dags_keep_their_code(
    running: AirflowServer, capsys: pytest.CaptureFixture[str]
) -> None:
    out = running.directory / "out"

    def logs() -> str:
        return running.log("dag-processor") + running.log("scheduler")

    wait_until(lambda: bundle_version(running) == V1, 60, logs)
    trigger(running, "one")
    wait_until((out / "one.first").exists, 60, logs)

    pushed = time.monotonic()
    publish(
        running.directory / "git", V2, "v2", extra={"broken.py": "from airflow.sdk import DAG\n1/0  # dag"}
    )
    wait_until(lambda: bundle_version(running) == V2, 30, logs, pause=0.05)
    visible = time.monotonic() - pushed
    errors = wait_until(
        lambda: running.call("GET", "/api/v2/importErrors?bundle_name=main")["import_errors"], 30, logs
    )
    assert errors[0]["filename"].endswith("broken.py")

    (out / "one.go").touch()
    wait_until(lambda: state(running, "one")["state"] == "success", 60, logs)
    assert state(running, "one")["bundle_version"] == V1
    assert [(out / f"one.{task}").read_text() for task in ("first", "second")] == ["v1", "v1v1"]

    (out / "two.go").touch()
    trigger(running, "two")
    wait_until(lambda: state(running, "two")["state"] == "success", 60, logs)
    assert state(running, "two")["bundle_version"] == V2
    assert [(out / f"two.{task}").read_text() for task in ("first", "second")] == ["v2", "v2v2"]
    assert "Traceback" not in running.log("dag-processor", 10_000)
    with capsys.disabled():
        print(f"\nfrom flip to bundle_version in the API: {visible:.2f} s")  # noqa: T201


PROBE = """
import json, os, shutil, sys
from pathlib import Path
from tenant_bundles import GitSyncDagBundle

root = Path(sys.argv[1])

def make(**arguments):
    return GitSyncDagBundle(name="main", root=str(root), **{"subdir": "dags"} | arguments)

def version(bundle):
    found = bundle.get_current_version()
    return found and found.version

def failure(what):
    try:
        what()
    except Exception as error:
        return type(error).__name__

def flip(commit):
    (root / "new").symlink_to(f".worktrees/{commit}")
    os.replace(root / "new", root / "current")

first, second = "1" * 40, "2" * 40
facts = {}
bundle = make(); bundle.initialize()
facts["initial"] = [version(bundle), str(bundle.path.relative_to(root))]
flip(second)
facts["flipped, not refreshed"] = [version(bundle), str(bundle.path.relative_to(root))]
bundle.refresh()
facts["refreshed"] = [version(bundle), str(bundle.path.relative_to(root))]
old = make(version=first); old.initialize(); old.refresh()
facts["pinned"] = [version(old), str(old.path.relative_to(root))]
shutil.rmtree(root / ".worktrees" / first)
gone = make(version=first); gone.initialize()
facts["pinned, tree gone"] = [version(gone), str(gone.path.relative_to(root))]
evil = make(version="../../etc"); evil.initialize()
facts["version is no commit"] = str(evil.path.relative_to(root))
facts["subdir climbs"] = [failure(lambda s=s: make(subdir=s)) for s in ("../x", "/etc", "a/../../x")]
facts["subdir empty"] = [str(b.path.relative_to(root)) for s in ("", ".", "./")
                         for b in [make(subdir=s)] if not b.initialize()]
(root / ".worktrees" / second / "link").symlink_to("/etc")
facts["subdir links out"] = failure(make(subdir="link").initialize)
facts["whole refresh fails"] = failure(make(subdir="link").refresh)
facts["version without a tree chosen"] = version(make())
url = make(view_url_template="https://git.example.com/{version}/{subdir}")
facts["view url"] = [url.view_url_template(), url.subdir]
(root / "current").unlink()
late = make()
facts["nothing published yet"] = [failure(late.initialize), late.is_initialized]
flip(second); late.initialize()
facts["published later"] = [version(late), late.is_initialized]
(root / ".worktrees" / "branch").mkdir(); flip("branch")
late.refresh()
facts["tree is no commit"] = version(late)
print("FACTS" + json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the bundle does in one process of Airflow's own environment (its import takes a second)."""
    home = tmp_path_factory.mktemp("bundle")
    install(home)
    publish(home / "git", V1, "v1")
    (home / "git" / ".worktrees" / V2 / "dags").mkdir(parents=True)
    done = subprocess.run(
        [str(airflow_bin() / "python"), "-c", PROBE, str(home / "git")],
        env=environment(home, 1, {}) | {"PYTHONPATH": str(home / "config"), "TMPDIR": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("FACTS"))
    found: dict[str, Any] = json.loads(line.removeprefix("FACTS"))
    return found


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("initial", [V1, f".worktrees/{V1}/dags"]),
        ("flipped, not refreshed", [V1, f".worktrees/{V1}/dags"]),
        ("refreshed", [V2, f".worktrees/{V2}/dags"]),
        ("pinned", [V1, f".worktrees/{V1}/dags"]),
        ("pinned, tree gone", [V1, f".worktrees/{V2}/dags"]),
        ("version is no commit", f".worktrees/{V2}/dags"),
        ("subdir climbs", ["ValueError"] * 3),
        ("subdir empty", [f".worktrees/{V2}"] * 3),
        ("subdir links out", "ValueError"),
        ("whole refresh fails", "ValueError"),
        ("version without a tree chosen", V2),
        ("view url", ["https://git.example.com/{version}/{subdir}", "dags"]),
        ("nothing published yet", ["FileNotFoundError", False]),
        ("published later", [V2, True]),
        ("tree is no commit", None),
    ],
)
def test_the_bundle_chooses_its_tree(facts: dict[str, Any], case: str, expected: Any) -> None:
    assert facts[case] == expected
