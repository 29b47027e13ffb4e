from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster.console import Console
from devcluster.errors import DevclusterError
from devcluster.target import CurrentTarget, DevclusterTarget, KindTarget, Target, cluster_from_env


def choose(**environment: str) -> Target:
    return cluster_from_env("x", environment=environment, console=Console(quiet=True))


def test_a_node_of_our_own_is_the_default(own_cache: Path) -> None:
    target = choose()
    assert isinstance(target, DevclusterTarget)
    assert target.kubeconfig == own_cache / "clusters" / "x" / "kubeconfig"
    assert target.description == 'devcluster node "x"'


def test_a_kubeconfig_of_the_user_is_the_default_once_set(tmp_path: Path) -> None:
    target = choose(KUBECONFIG=str(tmp_path / "config"))
    assert isinstance(target, CurrentTarget)
    assert target.kubeconfig == tmp_path / "config"


def test_cluster_wins_over_kubeconfig(tmp_path: Path) -> None:
    assert isinstance(choose(CLUSTER="devcluster", KUBECONFIG=str(tmp_path)), DevclusterTarget)
    assert isinstance(choose(CLUSTER="kind", KUBECONFIG=str(tmp_path)), KindTarget)


def test_an_unknown_cluster_is_refused() -> None:
    with pytest.raises(
        DevclusterError, match=r"CLUSTER=minikube is unknown; use devcluster, kind or current"
    ):
        choose(CLUSTER="minikube")


def test_a_list_of_kubeconfigs_is_refused() -> None:
    with pytest.raises(DevclusterError, match="one file"):
        choose(KUBECONFIG="/a:/b")


def test_current_needs_its_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(DevclusterError, match="there is no kubeconfig"):
        choose(CLUSTER="current", KUBECONFIG=str(tmp_path / "gone")).ensure_up()


def test_current_runs_the_load_command_for_every_tar(
    tmp_path: Path, program: Callable[[str, str], Path]
) -> None:
    program("k3d", f'echo "$@" >> {tmp_path}/calls')
    for command in ("k3d image import {tar} -c y", "k3d load"):
        target = choose(KUBECONFIG=str(tmp_path / "config"), CLUSTER_LOAD_COMMAND=command)
        target.load([Path("/a b.tar"), Path("/c.tar")])
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == ["image import /a b.tar -c y", "image import /c.tar -c y", "load /a b.tar", "load /c.tar"]


def test_current_without_load_command_says_that_images_must_be_pullable(tmp_path: Path) -> None:
    out = io.StringIO()
    CurrentTarget(tmp_path / "config", console=Console(progress=out)).load([Path("/a.tar")])
    assert "must be able to pull" in out.getvalue()
    assert "CLUSTER_LOAD_COMMAND" in out.getvalue()


def test_kind_creates_loads_and_deletes(
    own_cache: Path, tmp_path: Path, program: Callable[[str, str], Path]
) -> None:
    program("kind", f'echo "$@" >> {tmp_path}/calls; [ "$1" != get ] || cat {tmp_path}/clusters')
    (tmp_path / "clusters").write_text("")
    target = choose(CLUSTER="kind")
    target.ensure_up()
    (tmp_path / "clusters").write_text("x\n")
    target.ensure_up()
    target.load([Path("/a.tar")])
    target.down(purge=True)
    config = own_cache / "clusters" / "kind-x" / "kubeconfig"
    assert (tmp_path / "calls").read_text().splitlines() == [
        "get clusters",
        f"create cluster --wait 180s --name x --kubeconfig {config}",
        "get clusters",
        f"export kubeconfig --name x --kubeconfig {config}",
        "load image-archive /a.tar --name x",
        f"delete cluster --name x --kubeconfig {config}",
    ]


def test_kind_that_fails_shows_what_it_said(own_cache: Path, program: Callable[[str, str], Path]) -> None:
    program("kind", "echo 'ERROR: docker is not running' >&2; exit 1")
    with pytest.raises(DevclusterError, match="docker is not running"):
        choose(CLUSTER="kind").ensure_up()


def test_kind_that_is_missing_is_named(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DevclusterError, match="needs `kind` on PATH"):
        choose(CLUSTER="kind").ensure_up()
