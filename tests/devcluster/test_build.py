from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster import build, recipes
from devcluster.console import Console
from devcluster.errors import BuildFailedError, DevclusterError
from devcluster.recipes import RECIPES, Recipe
from devcluster.tools import tool

# Stands in for Go: counts its builds, and writes what -o asks for.
FAKE_GO = """
if [ "$1" = version ]; then echo "go version ${FAKE_VERSION:-go1.99}"; exit; fi
echo build >> "$COUNT"
while [ "$1" != -o ]; do shift; done
sleep 0.3
case "$2" in
*/) for name in bridge portmap; do echo binary > "$2$name"; done ;;
*) echo binary > "$2" ;;
esac
"""


@pytest.fixture
def counted(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str, str], Path]
) -> Callable[[], int]:
    """Puts a stand-in for Go on PATH; the result says how often it has built."""
    count = tmp_path / "count"
    monkeypatch.setenv("COUNT", str(count))
    program("go", FAKE_GO)
    return lambda: len(count.read_text().splitlines()) if count.exists() else 0


@pytest.fixture
def wrapper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe whose wrapper module may be changed."""
    folder = tmp_path / "go" / "thing"
    (folder / "own").mkdir(parents=True)
    (folder / "go.mod").write_text("module x\n\nrequire example.com/thing v1.2.3\n")
    (folder / "go.sum").write_text("sums\n")
    (folder / "own" / "main.go").write_text("package main\n")
    monkeypatch.setattr(recipes, "wrappers", lambda: tmp_path / "go")
    return Recipe("thing", "thing", ("./own",), "example.com/thing", sources=("own",))


def quiet() -> Console:
    return Console(quiet=True)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_pins_its_version(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.version().startswith("v")
    assert (recipe.directory / "go.sum").is_file()
    for source in recipe.sources:
        assert (recipe.directory / source).exists()


def test_kubernetes_is_the_version_that_the_documentation_names() -> None:
    assert RECIPES["kubelet"].version() == "v1.34.4"
    assert any("gitVersion=v1.34.4" in flag for flag in RECIPES["kubectl"].build_flags())


def test_a_second_build_reuses_the_first(counted: Callable[[], int], wrapper: Recipe) -> None:
    first = build.build(wrapper, quiet())
    assert first.read_text() == "binary\n"
    assert build.build(wrapper, quiet()) == first
    assert counted() == 1


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "own/main.go"])
def test_a_changed_input_makes_another_key(counted: Callable[[], int], wrapper: Recipe, file: str) -> None:
    before = build.key(wrapper)
    with (wrapper.directory / file).open("a") as handle:
        handle.write("// changed\n")
    assert build.key(wrapper) != before


def test_flags_and_the_go_version_are_part_of_the_key(
    counted: Callable[[], int], wrapper: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build.key(wrapper)
    assert build.key(dataclasses.replace(wrapper, tags=("seccomp",))) != before
    assert build.key(dataclasses.replace(wrapper, cgo=True)) != before
    monkeypatch.setenv("FAKE_VERSION", "go2.0")
    assert build.key(wrapper) != before


def test_a_unit_test_of_ours_is_not_part_of_the_key(counted: Callable[[], int], wrapper: Recipe) -> None:
    before = build.key(wrapper)
    (wrapper.directory / "own" / "main_test.go").write_text("package main\n")
    assert build.key(wrapper) == before


def test_a_folder_recipe_returns_the_folder(counted: Callable[[], int]) -> None:
    folder = build.build(RECIPES["cni"], quiet())
    assert sorted(path.name for path in folder.iterdir()) == ["bridge", "portmap"]


def test_two_processes_build_a_thing_once(counted: Callable[[], int]) -> None:
    program = "from devcluster.tools import tool; print(tool('netpol'))"
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    paths = {process.communicate(timeout=60)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    assert counted() == 1


def test_a_failed_build_shows_the_end_of_its_log_and_leaves_nothing(
    own_cache: Path, program: Callable[[str, str], Path]
) -> None:
    program("go", '[ "$1" = version ] || { seq 100; echo "cannot find module" >&2; exit 1; }')
    with pytest.raises(BuildFailedError) as caught:
        build.build(RECIPES["netpol"], quiet())
    message = str(caught.value)
    log = own_cache / "bin" / "log" / "netpol.log"
    assert "cannot find module" in message
    assert str(log) in message
    assert "    50\n" not in message
    assert log.read_text().startswith("1\n")
    assert {path.name for path in (own_cache / "bin").iterdir()} == {".netpol.lock", "log"}


def test_a_machine_without_go_is_told_so(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devcluster.prerequisites.find_program", lambda name: None)
    monkeypatch.setattr("devcluster.prerequisites.shutil.which", lambda name, **rest: None)
    with pytest.raises(DevclusterError, match=r"Go is needed .* https://go\.dev/dl/"):
        build.key(RECIPES["etcd"])


def test_progress_is_one_line_with_the_version_and_the_time(counted: Callable[[], int]) -> None:
    out = io.StringIO()
    build.build(RECIPES["etcd"], Console(progress=out))
    (line,) = out.getvalue().splitlines()
    assert line.startswith("  building etcd v3.6.16 ")
    assert line.endswith(" s")


def test_an_unknown_tool_lists_the_known_ones() -> None:
    with pytest.raises(DevclusterError, match=r"no tool 'kubeclt'.*kubectl"):
        tool("kubeclt")


@pytest.mark.parametrize(
    ("name", "answer", "fits"),
    [
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.34.1"}}', True),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.34.1-dispatcher"}}', False),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.32.4"}}', False),
        ("kubectl", "nonsense", False),
        ("helm", "v4.1.0", True),
        ("helm", "v3.18.2", False),
    ],
)
def test_a_program_on_path_is_used_when_its_version_fits(
    counted: Callable[[], int], program: Callable[[str, str], Path], name: str, answer: str, *, fits: bool
) -> None:
    there = program(name, f"echo '{answer}'")
    found = tool(name, quiet())
    assert (found == there) == fits
    assert counted() == (0 if fits else 1)


def test_a_fitting_program_on_path_needs_no_go(
    own_cache: Path, program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devcluster.prerequisites.find_go", lambda: None)
    there = program("helm", "echo v4.2.4")
    assert tool("helm", quiet()) == there
