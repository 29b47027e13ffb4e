"""docs/install/helm.md on a real API server: its commands run as they stand there, and a tenant comes up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.controller.api import Api
from tests.controller.kubelet import FakeKubelet
from tests.controller.process import Operator, eventually
from tests.controller.stack import (
    OPERATOR_NAMESPACE,
    OPERATOR_RELEASE,
    free_port,
    operator_environment,
    own_kubeconfig,
)
from tests.docs.built import ROOT
from tests.docs.pages import Command, commands, headings

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.api.tenant import TenantSpec
from tenant_operator.core import kinds

PAGE = "docs/install/helm.md"
VARIABLES = {"REGISTRY": "registry.example.com/airflow-tenants", "TAG": "0.1.0"}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane whose pods get a node and come up: everything but the containers is real."""
    folder = tmp_path_factory.mktemp("install-helm")
    with ControlPlane.start(folder / "cluster") as plane, Api(plane) as api:
        kubelet = FakeKubelet(api)
        kubelet.start()
        try:
            yield plane
        finally:
            kubelet.stop()


def run(plane: ControlPlane, folder: Path, command: Command) -> str:
    """As a reader runs it: in the root of the clone, `kubectl` and `helm` on the path."""
    folder.mkdir(exist_ok=True)
    for name in ("kubectl", "helm"):
        if not (folder / name).exists():
            (folder / name).symlink_to(tool(name))
    done = subprocess.run(
        command.argv(VARIABLES),
        cwd=ROOT,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "KUBECONFIG": str(plane.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_commands_of_the_page_install_the_operator_and_a_first_tenant(
    plane: ControlPlane, tmp_path: Path
) -> None:
    bin_folder = tmp_path / "bin"
    for command in commands(PAGE, "Install"):
        run(plane, bin_folder, command)
    operator = Operator(  # what the Deployment's container would be
        kubeconfig=own_kubeconfig(plane),
        log=tmp_path / "operator.log",
        port=free_port(),
        environment=operator_environment(tmp_path),
    )
    try:
        operator.start()
        shown = {str(command): run(plane, bin_folder, command) for command in commands(PAGE, "Check")}
    except AssertionError as error:
        raise AssertionError(f"{error}\n{operator.tail()}") from None
    finally:
        if operator.process is not None:
            operator.kill()
    tenants = next(text for line, text in shown.items() if "get airflowtenants" in line)
    assert "first" in tenants
    workloads = next(text for line, text in shown.items() if "get deployments" in line)
    assert {"first-scheduler", "first-postgresql"} <= set(workloads.replace("/", " ").split())
    with Api(plane) as api:
        deployment = eventually(lambda: api.find(kinds.DEPLOYMENT, OPERATOR_RELEASE, OPERATOR_NAMESPACE), 60)
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "registry.example.com/airflow-tenants/operator:0.1.0"


def test_the_first_tenant_needs_nothing_that_a_new_cluster_has_not() -> None:
    tenant = yaml.safe_load((ROOT / "docs" / "install" / "first-tenant.yaml").read_text())
    spec = TenantSpec.model_validate(tenant["spec"])
    assert [source.git_sync for source in spec.dags.sources] == [None]
    assert not spec.connections
    assert tenant["spec"]["deletionPolicy"] == "Retain"
    assert tenant["spec"]["suspend"] is False


@pytest.mark.parametrize("page", ["helm", "argocd", "flux"])
def test_the_three_pages_have_one_form_and_explain_their_variables(page: str) -> None:
    path = f"docs/install/{page}.md"
    assert headings(path) == ["Before you begin", "Install", "Check", "Next"]
    found = commands(path)
    assert {command.heading for command in found} == {"Install", "Check"}
    assert 5 <= len(found) <= 10
    text = (ROOT / path).read_text()
    top = text[: text.index("## ")]
    assert {f"`${name}`" for command in found for name in command.variables} == {
        word for word in top.split() if word.startswith("`$")
    }
    assert len(text.splitlines()) < 80
