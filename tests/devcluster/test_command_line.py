from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster.__main__ import main, parser
from devcluster.console import Console, duration
from devcluster.errors import DevclusterError
from devcluster.node.lifecycle import Node


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for command in ("build", "up", "down", "status", "load", "kubeconfig", "logs", "shell", "tool"):
        assert f"\n  {command} " in text or f"\n    {command} " in text


@pytest.mark.parametrize("arguments", [[], ["destroy"], ["load"], ["tool", "kubeclt"]])
def test_a_wrong_command_line_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == 2
    assert "usage: devcluster" in capsys.readouterr().err


def test_status_without_a_cluster_says_how_to_get_one(
    own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status"]) == 0
    assert capsys.readouterr().err == "There is no cluster. Start one with: devcluster up\n"


def test_status_lists_a_node_that_is_down(own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_cache / "clusters" / "one").mkdir(parents=True)
    assert main(["status"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "KIND", "STATE", "API"]
    assert row.split() == ["one", "node", "down"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kubeconfig"], "Cluster 'dev' does not exist. Start it with: devcluster up --name dev"),
        (["kubeconfig", "--name", "x"], "Cluster 'x' does not exist. Start it with: devcluster up --name x"),
        (["load", "/x.tar"], "Cluster 'dev' is not running. Start it with: devcluster up --name dev"),
        (["shell"], "Cluster 'dev' is not running. Start it with: devcluster up --name dev"),
        (["logs", "kubelet"], "Cluster 'dev' has no log of 'kubelet'. It has never been up."),
        (
            ["down", "--name", "Bad_Name"],
            "'Bad_Name' cannot be a cluster's name: use up to 30 lower-case letters, digits, dashes.",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence_on_standard_error(
    own_cache: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"devcluster: error: {message}\n"


def test_down_of_nothing_is_no_error(own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down"]) == 0
    assert capsys.readouterr().err == "Cluster 'dev' is not running.\n"


def test_a_node_without_root_names_the_alternatives(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["up"]) == 1
    error = capsys.readouterr().err
    assert "it needs root" in error
    assert "CLUSTER=kind" in error
    assert "CLUSTER=current" in error
    assert len(error.splitlines()) == 1


def test_the_path_of_a_tool_is_all_that_standard_output_gets(
    own_cache: Path, program: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    helm = program("helm", "echo v4.2.4")
    assert main(["tool", "helm"]) == 0
    assert capsys.readouterr().out == f"{helm}\n"


@pytest.mark.parametrize("name", ["dev", "a", "a-1", "a" * 30])
def test_names_of_clusters(name: str) -> None:
    assert Node.named(name).spec.host == f"devcluster-{name}"


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a/b", "..", "a" * 31])
def test_names_that_cannot_be_directories_or_host_names(name: str) -> None:
    with pytest.raises(DevclusterError):
        Node.named(name)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (12.34, "12.3 s"), (99.9, "99.9 s"), (99.96, "1 min 40 s"), (185, "3 min 05 s")],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_failed_step_says_so_on_its_line() -> None:
    out = io.StringIO()
    with pytest.raises(ValueError, match="x"), Console(progress=out).step("doing it"):
        raise ValueError("x")
    assert out.getvalue().startswith("  doing it ")
    assert out.getvalue().endswith("failed\n")


def test_quiet_shows_no_progress() -> None:
    out = io.StringIO()
    console = Console(quiet=True, progress=out)
    with console.step("doing it"):
        console.info("something")
    console.error("a problem")
    assert out.getvalue() == "devcluster: error: a problem\n"
