from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from demo import cli, cluster, diagnosis, forwarder, steps
from demo.errors import DemoError
from demo.samples import SAMPLES
from devcluster import target as targets


class FakeTarget:
    description = "a pretended cluster"

    def __init__(self) -> None:
        self.ended: list[bool] = []

    def down(self, purge: bool) -> None:
        self.ended.append(purge)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTarget:
    """No cluster, no steps: what is left is the command line."""
    found = FakeTarget()
    kube = SimpleNamespace(
        kubeconfig=tmp_path / "kubeconfig",
        kubectl_path=Path("/bin/kubectl"),
        kubectl=lambda *_: "NAME\npayments\n",
    )

    @contextlib.contextmanager
    def opened(name: str, console: Any) -> Iterator[Any]:
        assert (name, console.live) == ("demo", False)
        yield SimpleNamespace(kube=kube, helm=Path("/bin/helm"))

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cluster, "opened", opened)
    monkeypatch.setattr(targets, "cluster_from_env", lambda name: found)
    monkeypatch.setattr(cli, "STEPS", ())
    urls = {sample.name: f"http://127.0.0.1:{sample.port}" for sample in SAMPLES}
    monkeypatch.setattr(steps, "open_urls", lambda demo: urls)
    monkeypatch.setattr(diagnosis, "report", lambda kube, file: ["conditions:", "  payments: Ready=False"])
    return found


def failing(error: BaseException) -> Any:
    def step(demo: Any) -> None:
        raise error

    return step


def test_up_ends_with_addresses_and_how_to_read_the_passwords(
    target: FakeTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["up"]) == 0
    out = capsys.readouterr().out
    assert "payments   http://127.0.0.1:8080" in out
    assert "get secret analytics-admin -o go-template=" in out
    assert "`make demo-down` removes everything" in out


def test_a_failed_step_shows_why_and_where_to_look(
    target: FakeTarget, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cli, "STEPS", (failing(DemoError("the pool is not there")),))
    assert cli.main(["up"]) == 1
    out = capsys.readouterr().out
    assert "failed: the pool is not there" in out
    assert "payments: Ready=False" in out
    assert str(tmp_path / "airflow-tenants" / "demo" / "demo" / "failure.txt") in out


def test_ctrl_c_is_not_a_failure_with_a_trace(
    target: FakeTarget, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "STEPS", (failing(KeyboardInterrupt()),))
    assert cli.main(["up"]) == 130
    assert "`make demo` goes on from here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "ended"), [([], [True]), (["--keep-data"], [False]), (["--keep-cluster"], [])]
)
def test_down_removes_as_much_as_asked(
    target: FakeTarget, monkeypatch: pytest.MonkeyPatch, options: list[str], ended: list[bool]
) -> None:
    stopped: list[Path] = []
    monkeypatch.setattr(forwarder, "stop", lambda state: stopped.append(state) or True)
    assert cli.main(["down", *options]) == 0
    assert target.ended == ended
    assert len(stopped) == 1
