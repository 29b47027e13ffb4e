"""What imagebuild says: to people who use it wrongly, without root, or when a step fails."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

import imagebuild
from imagebuild import process
from imagebuild.__main__ import main
from imagebuild.chroot import Bind, Chroot, require_root
from imagebuild.console import Console
from imagebuild.errors import BuildError, StepError
from imagebuild.recipes import RECIPES
from imagebuild.settings import Settings, project_root
from imagebuild.venv import find_uv, index_environment
from imagebuild.workshop import Workshop


def test_an_unknown_image_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BuildError, match=r"no such image: nope; there are airflow, .*toolbox"):
        imagebuild.build(["nope"])


def test_the_command_line_ends_with_1_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nope"]) == 1
    assert "imagebuild: no such image" in capsys.readouterr().err


def test_the_list_shows_every_image_and_builds_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == imagebuild.names()
    assert all(line.endswith("not built") for line in lines)


def test_without_root_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BuildError) as caught:
        require_root()
    assert "run it as root, or build the Containerfiles with docker, podman or buildah" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_failing_step_shows_the_end_of_its_log_and_where_it_is(tmp_path: Path) -> None:
    log = tmp_path / "step.log"
    code = "print(*range(100), sep='\\n'); import sys; sys.exit(3)"
    with pytest.raises(StepError) as caught:
        process.run([sys.executable, "-c", code], log)
    said = str(caught.value)
    assert "code 3" in said
    assert str(log) in said
    assert said.endswith("98\n99")
    assert "\n50\n" not in said


def test_a_step_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="did not end within"):
        process.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", deadline=0.3)


def test_each_step_is_one_line_with_its_seconds() -> None:
    err = io.StringIO()
    console = Console(err=err)
    with console.step("one"):
        pass
    with pytest.raises(ValueError, match="x"), console.step("two"):
        raise ValueError("x")
    first, second, *rest = err.getvalue().splitlines()
    assert first.startswith("one ... 0.")
    assert first.endswith(" s")
    assert second.startswith("two ...")
    assert "failed after 0." in "".join([second, *rest])


def test_a_folder_that_is_no_checkout_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_TENANTS_PROJECT", str(tmp_path))
    with pytest.raises(BuildError, match="not a checkout"):
        project_root()


def test_uv_is_found_as_a_program_and_not_as_a_shim() -> None:
    assert find_uv().read_bytes()[:4] == b"\x7fELF"


def test_the_index_of_pip_is_used_by_uv_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("UV_CACHE_DIR", "/somewhere")
    assert index_environment()["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert "UV_CACHE_DIR" not in index_environment()


def test_a_program_inside_gets_only_what_it_is_given(tmp_path: Path) -> None:
    inside = Chroot(
        tmp_path, user="7:8", read_only=True, env={"A": "b"}, binds=(Bind(Path("/x"), "/y", True),)
    )
    words = inside.argv(["run", "it"])
    assert words[-2:] == ["run", "it"]
    assert "7:8" in words
    assert "ro" in words
    assert "/x:/y:ro" in words
    assert "A=b" in words
    assert not [word for word in words if word.startswith("SSL_CERT_FILE")]


def test_a_named_tool_takes_the_place_of_a_built_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    helm = tmp_path / "helm"
    helm.write_text("x")
    monkeypatch.setenv("AIRFLOW_TENANTS_TOOL_HELM", str(helm))
    workshop = Workshop.open(Settings(tmp_path, tmp_path / "c"), Console())
    artifact = RECIPES["operator", "helm:/out/helm"](workshop, [])
    artifact.fill(tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "x"
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o755
