"""Argo CD's own engine over what manifests/argocd renders: the Lua, and who may do what.

`argocd admin settings` works on files, without a cluster.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.manifests import lua
from tests.manifests.argocd_capture import CUSTOMIZATION, TESTDATA
from tests.manifests.argocd_objects import FOLDER, build, of

from devcluster.tools import tool
from tenant_operator.core import names

#: The deadline counts the test alone, not the build of Argo CD.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300, func_only=True)]

LUA = FOLDER / "resource_customizations"
HEALTH = list(lua.cases(LUA, "health_test.yaml", "tests"))
ACTION = list(lua.cases(LUA, "actions/action_test.yaml", "actionTests"))
STATES = sorted(path.stem for path in TESTDATA.glob("*.yaml"))

Argocd = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """argocd-cm as users apply it, and beside it a kubeconfig of no cluster: `rbac` wants one."""
    tool("argocd")  # here, outside of a test's deadline: where it is not built yet, that takes minutes
    file = tmp_path_factory.mktemp("argocd") / "argocd-cm.yaml"
    file.write_text(yaml.safe_dump(of(build("argocd/config"), "ConfigMap")["argocd-cm"]))
    nowhere = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:9"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
        "users": [{"name": "none", "user": {"token": "none"}}],
        "current-context": "none",
    }
    (file.parent / "kubeconfig").write_text(yaml.safe_dump(nowhere))
    return file


def run(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`argocd admin settings ...` with this argocd-cm."""
    return subprocess.run(
        [str(tool("argocd")), "admin", "settings", *arguments, "--argocd-cm-path", str(config)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(config.parent),
            "KUBECONFIG": str(config.parent / "kubeconfig"),
            "TMPDIR": str(config.parent),  # run-action leaves both sides of its comparison
            "ARGOCD_BINARY_NAME": "argocd",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def argocd(config: Path) -> Argocd:
    """Runs `argocd admin settings ...`."""
    return functools.partial(run, config)


@pytest.mark.parametrize("case", HEALTH, ids=[case.name for case in HEALTH])
def test_health_is_what_the_tests_say(argocd: Argocd, case: lua.Case) -> None:
    file = case.folder / case.test["inputPath"]
    done = argocd("resource-overrides", "health", str(file))
    assert done.returncode == 0, done.stderr
    expected = case.test["healthStatus"]
    if "deletionTimestamp" in case.load("inputPath")["metadata"]:
        # The engine answers this one before it runs the script.
        expected = {"status": "Progressing", "message": "Pending deletion"}
    assert done.stdout == f"STATUS: {expected['status']}\nMESSAGE: {expected['message']}\n"


@pytest.mark.parametrize("state", STATES)
def test_actions_are_offered_as_in_the_sandbox(argocd: Argocd, state: str) -> None:
    file = TESTDATA / f"{state}.yaml"
    done = argocd("resource-overrides", "list-actions", str(file))
    assert done.returncode == 0, done.stderr
    shown = dict(line.split() for line in done.stdout.splitlines()[1:])
    expected = lua.discover(CUSTOMIZATION, lua.read(file))
    assert shown == {name: str(action["disabled"]).lower() for name, action in expected.items()}


def test_point_4_no_request_and_no_status_refreshes_an_application(config: Path, tmp_path: Path) -> None:
    """What the engine leaves out before it compares an object with what it knew.

    Its command for these settings (ignore-resource-updates) finds none, whatever is set (Argo CD 3.5): they
    are moved before it looks. The controller gives them to the normalizer of ignoreDifferences, and so do we.
    """
    cm = yaml.safe_load(config.read_text())
    cm["data"] = {
        key.replace("ignoreResourceUpdates", "ignoreDifferences"): v for key, v in cm["data"].items()
    }
    (tmp_path / "argocd-cm.yaml").write_text(yaml.safe_dump(cm))
    found = lua.read(TESTDATA / "ready.yaml")
    asked = (names.ANNOTATION_RECONCILE, names.ANNOTATION_DAG_SYNC)
    annotations = {**dict.fromkeys(asked, "2026-01-01T00:00:00Z"), "example.com/other": "seen"}
    found["metadata"].setdefault("annotations", {}).update(annotations)
    (tmp_path / "tenant.yaml").write_text(yaml.safe_dump(found))
    done = run(
        tmp_path / "argocd-cm.yaml", "resource-overrides", "ignore-differences", str(tmp_path / "tenant.yaml")
    )
    assert done.returncode == 0, done.stderr
    left_out = {line[2:].strip().split(":")[0] for line in done.stdout.splitlines() if line.startswith("< ")}
    assert left_out >= {*asked, "status", "conditions"}
    assert not left_out & {"spec", "owner", "team", "example.com/other"}


@pytest.mark.parametrize("case", ACTION, ids=[case.name for case in ACTION])
def test_an_action_changes_what_the_tests_say(argocd: Argocd, case: lua.Case) -> None:
    file = (case.folder / "actions" / case.test["inputPath"]).resolve()
    done = argocd("resource-overrides", "run-action", str(file), case.test["action"])
    if "expectedErrorMessage" in case.test:
        assert done.returncode != 0
        assert case.test["expectedErrorMessage"] in done.stderr
        return
    assert done.returncode == 0, done.stderr
    before, after = case.load("inputPath"), case.load("expectedOutputPath")
    old = before["metadata"].get("annotations", {})
    new = after["metadata"].get("annotations", {})
    lines = done.stdout.splitlines()
    gone = {line[2:].strip() for line in lines if line.startswith("< ")}
    come = {line[2:].strip() for line in lines if line.startswith("> ")}
    assert gone | come, "the action changes nothing"
    for key in old.keys() | new.keys():
        if key.endswith("-requested-at"):
            assert any(line.startswith(f"{key}: ") for line in come)
        elif old.get(key) != new.get(key):
            assert key not in old or any(line.startswith(f"{key}: ") for line in gone)
            assert key not in new or any(yaml.safe_load(line) == {key: new[key]} for line in come)
    assert all(":" in line and line.split(":")[0] in {"annotations", *old, *new} for line in gone | come)


def test_the_settings_are_valid(argocd: Argocd) -> None:
    done = argocd("validate", "--group", "resource-overrides")
    assert done.returncode == 0, done.stderr
    assert "✅" in done.stdout, done.stdout


@functools.cache
def _policies() -> str:
    """The CSV that Argo CD's server enforces: the ConfigMap's and the projects' roles with their groups."""
    lines = [of(build("argocd/config"), "ConfigMap")["argocd-rbac-cm"]["data"]["policy.airflow-tenants.csv"]]
    for name, project in of(build("argocd/production"), "AppProject").items():
        for role in project["spec"].get("roles", []):
            lines += role["policies"]
            lines += [f"g, {group}, proj:{name}:{role['name']}" for group in role.get("groups", [])]
    return "\n".join(lines) + "\n"


ACTION_RIGHT = f"action/{names.GROUP}/{names.KIND}/suspend"


@pytest.mark.parametrize(
    ("who", "action", "resource", "target", "allowed"),
    [
        ("payments-devs", "get", "applications", "airflow-payments/airflow-payments", True),
        ("payments-devs", "sync", "applications", "airflow-payments/airflow-payments", True),
        ("payments-devs", ACTION_RIGHT, "applications", "airflow-payments/airflow-payments", True),
        ("payments-devs", "delete", "applications", "airflow-payments/airflow-payments", False),
        ("payments-devs", "update", "applications", "airflow-payments/airflow-payments", False),
        ("payments-devs", "override", "applications", "airflow-payments/airflow-payments", False),
        ("payments-devs", "action/apps/Deployment/restart", "applications", "airflow-payments/x", False),
        ("payments-devs", "get", "applications", "airflow-analytics/airflow-analytics", False),
        ("payments-devs", "sync", "applications", "airflow-analytics/airflow-analytics", False),
        ("payments-devs", ACTION_RIGHT, "applications", "airflow-analytics/airflow-analytics", False),
        ("payments-devs", "get", "applications", "platform/operator", False),
        ("payments-devs", "update", "projects", "airflow-payments", False),
        ("payments-devs", "create", "exec", "airflow-payments/airflow-payments", False),
        ("payments-auditors", "get", "applications", "airflow-payments/airflow-payments", True),
        ("payments-auditors", "sync", "applications", "airflow-payments/airflow-payments", False),
        ("payments-auditors", ACTION_RIGHT, "applications", "airflow-payments/airflow-payments", False),
        ("platform-team", "sync", "applications", "airflow-payments/airflow-payments", True),
        ("platform-team", ACTION_RIGHT, "applications", "airflow-analytics/airflow-analytics", True),
        ("platform-team", "update", "projects", "airflow-payments", True),
        ("platform-team", "create", "exec", "airflow-payments/airflow-payments", False),
        ("somebody", "get", "applications", "airflow-payments/airflow-payments", False),
    ],
)
def test_who_may_do_what(
    argocd: Argocd, tmp_path: Path, who: str, action: str, resource: str, target: str, allowed: bool
) -> None:
    file = tmp_path / "policy.csv"
    file.write_text(_policies())
    done = argocd("rbac", "can", who, action, resource, target, "--policy-file", str(file))
    assert done.stdout.strip() == ("Yes" if allowed else "No"), done.stderr
