"""A release: each of its steps runs here, against a registry of our own; only the signature itself is dry."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import git as git_tool
from tools.release import (
    artifacts,
    changelog,
    contents,
    images,
    mirror,
    provenance,
    sbom,
    signing,
    source,
    steps,
    versions,
)
from tools.release.__main__ import main
from tools.release.common import ROOT, Dist, ReleaseError, everything, read_json

from devcluster.tools import tool
from imagebuild.layers import Layer
from imagebuild.oci import BuiltImage, Config

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEX = "a" * 64
START_SECONDS = 120


def add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    archive.addfile(info, io.BytesIO(data))


def layer(folder: Path, name: str, files: dict[str, tuple[bytes, int]]) -> Layer:
    path = folder / f"{name}.layer"
    with tarfile.open(path, "w") as archive:
        for file, (data, mode) in files.items():
            add(archive, file, data, mode)
    return Layer(name, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}", path.stat().st_size, path)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> BuiltImage:
    """A small image in the builder's own format: a Debian package, a Python distribution, a Go program."""
    folder = tmp_path_factory.mktemp("image")
    debian = b"Package: bash\nVersion: 5.2.15-2+b13\nArchitecture: amd64\n"
    python = (
        b"Metadata-Version: 2.4\nName: kopf\nVersion: 1.45.2\nLicense-Expression: MIT\n\nLong\nVersion: 9\n"
    )
    layers = (
        layer(folder, "base", {"var/lib/dpkg/status.d/bash": (debian, 0o644), "bin/sh": (b"#!x", 0o755)}),
        layer(
            folder,
            "code",
            {
                "opt/venv/lib/kopf-1.45.2.dist-info/METADATA": (python, 0o644),
                "usr/bin/actionlint": (tool("actionlint").read_bytes(), 0o755),
            },
        ),
    )
    config = Config(entrypoint=("sh",), labels={images.VERSION_LABEL: "v9"})
    made = BuiltImage("redis", "localhost/redis:v9", "localhost", layers, config, folder / "redis.tar")
    made.write()
    return made


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real registry on this machine; `host:port`."""
    log = tmp_path_factory.mktemp("registry") / "log"
    command = [str(tool("crane")), "registry", "serve", "--address", "127.0.0.1:0"]
    with log.open("w") as output, subprocess.Popen(command, stderr=output, stdout=output) as process:
        try:
            yield f"127.0.0.1:{_port(log, process)}"
        finally:
            process.kill()


def _port(log: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        match = re.search(r"serving on port (\d+)\n", log.read_text())
        if match:
            return match[1]
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, image: BuiltImage) -> Path:
    made = Dist(tmp_path_factory.mktemp("rehearsal") / "dist")
    index = steps.build(ROOT, made, "", [])
    index["images"] = [steps.image(image, made, index["version"], WHEN, newest=True)]
    made.index.write_text(json.dumps(index))
    return made.folder


@pytest.fixture
def dist(tmp_path: Path, rehearsal: Path) -> Dist:
    """A rehearsal of a release with one image."""
    return Dist(Path(shutil.copytree(rehearsal, tmp_path / "dist")))


# --- versions and notes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that state a version, all of them ready for v0.1.0."""
    wanted = [path.relative_to(ROOT) for path in versions.members(ROOT)]
    wanted += [Path(chart, "Chart.yaml") for chart in (versions.OPERATOR_CHART, versions.TENANT_CHART)]
    for path in [*wanted, Path("images/airflow/Containerfile")]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "CHANGELOG.md").write_text("# C\n\n## [Unreleased]\n\n## [0.1.0] - 2026-01-02\n- First.\n")
    replace_version(tmp_path, "0.1.0")
    return tmp_path


def replace_version(root: Path, version: str) -> None:
    for path in root.rglob("pyproject.toml"):
        path.write_text(re.sub(r'^version = "[^"]+"', f'version = "{version}"', path.read_text(), flags=re.M))
    for path in root.rglob("Chart.yaml"):
        path.write_text(re.sub(r"^version: .*", f"version: {version}", path.read_text(), flags=re.M))
    chart = root / versions.OPERATOR_CHART / "Chart.yaml"
    chart.write_text(re.sub(r"^appVersion: .*", f'appVersion: "{version}"', chart.read_text(), flags=re.M))


def test_a_project_whose_versions_agree_with_the_tag_can_be_released(project: Path) -> None:
    versions.check("v0.1.0", project)
    assert main(["--root", str(project), "check", "v0.1.0"]) == 0


def test_the_projects_own_versions_agree_with_each_other() -> None:
    version = versions.current(ROOT)
    with pytest.raises(ReleaseError) as refused:
        versions.check("v0.0.0-nobody", ROOT)
    stated = [line for line in str(refused.value).splitlines() if "version is" in line.lower()]
    assert stated
    assert all(f"is {version}, write 0.0.0-nobody" in line for line in stated), refused.value
    assert "images/airflow" not in str(refused.value)


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("pyproject.toml", '^version = "0.1.0"'),
        ("operator/pyproject.toml", '^version = "0.1.0"'),
        ("dags/lib/pyproject.toml", '^version = "0.1.0"'),
        ("charts/tenant-operator/Chart.yaml", "^version: 0.1.0"),
        ("charts/tenant-operator/Chart.yaml", '^appVersion: "0.1.0"'),
        ("charts/airflow-tenant/Chart.yaml", "^version: 0.1.0"),
        ("images/airflow/Containerfile", "image.version=3"),
        ("CHANGELOG.md", "0.1.0"),
    ],
)
def test_one_version_that_disagrees_stops_the_release_and_is_named(
    project: Path, file: str, pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / file
    text = re.sub(
        pattern,
        lambda found: found[0].replace("0.1.0", "0.9.9").replace("=3", "=4"),
        path.read_text(),
        flags=re.M,
    )
    assert text != path.read_text()
    path.write_text(text)
    assert main(["--root", str(project), "check", "v0.1.0"]) == 1
    error = capsys.readouterr().err
    assert file in error
    assert error.count("\n- ") == 1


@pytest.mark.parametrize("tag", ["0.1.0", "v1", "v1.2", "v1.2.3+x", "main", "v1.2.3;rm"])
def test_a_tag_that_is_no_version_is_refused(tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", tag]) == 1
    assert "like v1.2.3" in capsys.readouterr().err


def test_a_candidate_has_the_same_version_in_both_spellings(project: Path) -> None:
    replace_version(project, "0.2.0-rc.1")
    for path in project.rglob("pyproject.toml"):
        path.write_text(path.read_text().replace("0.2.0-rc.1", "0.2.0rc1"))
    (project / "CHANGELOG.md").write_text("## [0.2.0-rc.1] - 2026-01-02\n- First.\n")
    versions.check("v0.2.0-rc.1", project)


# --- what is released is a commit that was reviewed


@pytest.fixture
def clone(project: Path) -> Path:
    """A clone whose main has two commits and the branch origin/main of its remote."""
    git(project, "init", "-q", "-b", "main")
    for number in (1, 2):
        (project / "file").write_text(str(number))
        git(project, "add", ".")
        git(project, "-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-qm", str(number))
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD")
    return project


def git(folder: Path, *arguments: str) -> str:
    command = git_tool.command(folder, *arguments)
    done = subprocess.run(command, env=git_tool.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_commit_of_main_can_be_released_an_older_one_too(clone: Path) -> None:
    arguments = ["--root", str(clone), "check", "v0.1.0", "--branch", "origin/main"]
    assert main(arguments) == 0
    git(clone, "switch", "-q", "--detach", "HEAD~1")
    assert main(arguments) == 0


def test_a_commit_that_nobody_merged_cannot_be_released(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / "file").write_text("evil")
    git(clone, "-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-qam", "evil")
    git(clone, "tag", "v0.1.0")
    assert main(["--root", str(clone), "check", "v0.1.0", "--branch", "origin/main"]) == 1
    assert f"{source.commit(clone)} is not in origin/main: merge it first" in capsys.readouterr().err
    assert main(["--root", str(clone), "check", "v0.1.0", "--branch", "origin/none"]) == 1
    assert "there is no branch origin/none here: fetch it" in capsys.readouterr().err


def test_a_release_is_built_from_its_tags_commit_and_nothing_beside_it(clone: Path, tmp_path: Path) -> None:
    build = (clone, Dist(tmp_path / "dist"), "v0.1.0", [])
    with pytest.raises(ReleaseError, match="there is no tag v0"):
        steps.build(*build)
    git(clone, "tag", "v0.1.0", "HEAD~1")
    with pytest.raises(ReleaseError, match="git switch -d v0"):
        steps.build(*build)
    git(clone, "switch", "-qd", "v0.1.0")
    source.check_tag(clone, "v0.1.0")
    (clone / "beside").touch()
    (clone / "file").write_text("changed")
    with pytest.raises(ReleaseError, match=r"not as in v0\.1\.0: file, beside"):
        steps.build(*build)


def test_the_commit_is_that_of_the_clone_whoever_owns_it_and_whatever_a_hook_says(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = source.commit(clone)
    assert commit != source.commit(ROOT)
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for path in (clone, clone / ".git"):
        os.chown(path, 12345, 12345)
    assert source.commit(clone) == commit
    source.check_branch(clone, "origin/main")


def test_a_rehearsal_says_in_its_provenance_that_files_were_changed() -> None:
    clean = provenance.predicate(provenance.Build.of({}, "c" * 40, WHEN), ROOT)
    changed = provenance.predicate(provenance.Build.of({}, "c" * 40, WHEN, changed=True), ROOT)
    assert "annotations" not in clean["buildDefinition"]["resolvedDependencies"][0]
    provenance.check(provenance.statement({"redis": HEX}, changed))
    assert "no release" in json.dumps(changed)


def test_a_folder_without_the_projects_files_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path), "check", "v0.1.0"]) == 1
    assert "pyproject.toml" in capsys.readouterr().err


# --- what a company has to bring into its registry


OPERATOR = ROOT / "manifests/operator"


@pytest.mark.parametrize("file", ["base/generated/defaults.yaml", "production/defaults.yaml"])
def test_every_image_that_a_tenant_runs_is_released_or_in_the_list_to_copy(file: str) -> None:
    """Each image that the tenant chart renders, with a cluster's defaults and everything switched on."""
    defaults = yaml.safe_load((OPERATOR / file).read_text())["images"]
    lint = yaml.safe_load((ROOT / "tests/charts/lint-values.yaml").read_text())
    database = lint["postgresql"] | {"metrics": {"enabled": True}}
    values = lint | {"images": defaults, "postgresql": database}
    rendered = set(re.findall(r"^\s*(?:- )?image: \"?([^\s\"]+)", render(values), re.MULTILINE))
    copied = {
        f"registry.example.com/airflow-tenants/{image.name}:{image.tag}"
        for image in mirror.everything(ROOT, "ghcr.io/your-org/airflow-tenants")
    }
    assert {image.partition(":")[0].rpartition("/")[2] for image in rendered} == {
        *("airflow", "git-sync", "postgresql", "postgres-exporter", "statsd-exporter"),
    }
    assert rendered - copied == set()


def render(values: dict[str, Any]) -> str:
    command = [str(tool("helm")), "template", "airflow", str(ROOT / versions.TENANT_CHART), "--values", "-"]
    done = subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_clusters_operator_is_a_released_image(environment: str) -> None:
    [image] = yaml.safe_load((OPERATOR / environment / "kustomization.yaml").read_text())["images"]
    copied = {f"{found.name}:{found.tag}" for found in mirror.images_of_ours(ROOT, "x")}
    assert f"{image['name'].rpartition('/')[2]}:{image['newTag']}" in copied


def test_the_statsd_exporter_that_is_built_is_the_one_that_the_chart_asks_for() -> None:
    values = yaml.safe_load((ROOT / versions.TENANT_CHART / "values.yaml").read_text())
    [built] = [found for found in mirror.images_of_ours(ROOT, "x") if found.name == "statsd-exporter"]
    assert built.tag == f"{values['images']['statsd']['tag']}-{versions.current(ROOT)}"


def test_the_list_to_copy_is_printed_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mirror", "registry.example.com/a", "--from", "ghcr.io/o/p"]) == 0
    said = capsys.readouterr().out
    version = versions.current(ROOT)
    assert f"crane copy ghcr.io/o/p/operator:{version} registry.example.com/a/operator:{version}\n" in said
    assert re.search(
        r"^crane copy registry\.k8s\.io/git-sync/git-sync:(\S+) registry\S+/git-sync:\1$", said, re.M
    )


CHANGES = """# Changelog

## [Unreleased]

### Added
- Later.

## [0.2.0] - 2026-03-04

### Fixed
- A thing, see [here](x).

## [0.1.0]
- No date.

## [0.0.1] - 2026-01-01

## [0.0.0] - 2025-01-01
- The end."""


def test_the_notes_are_the_section_of_the_changelog(tmp_path: Path) -> None:
    path = tmp_path / "CHANGELOG.md"
    path.write_text(CHANGES)
    assert changelog.section(path, "0.2.0") == "### Fixed\n- A thing, see [here](x).\n"
    assert changelog.section(path, "0.0.0") == "- The end.\n"
    assert changelog.newest(path, "0.2.0") == changelog.section(path, "Unreleased") == "### Added\n- Later.\n"
    path.write_text(CHANGES.replace("### Added\n- Later.\n", ""))
    assert changelog.newest(path, "0.2.0") == changelog.section(path, "0.2.0")


@pytest.mark.parametrize(
    ("version", "told"),
    [("0.1.0", "write the day"), ("0.0.1", "is empty"), ("0.3.0", "move what is under [Unreleased]")],
)
def test_notes_that_are_not_there_stop_the_release_with_the_remedy(
    tmp_path: Path, version: str, told: str
) -> None:
    path = tmp_path / "CHANGELOG.md"
    path.write_text(CHANGES)
    with pytest.raises(ReleaseError, match=re.escape(told)):
        changelog.section(path, version)


# --- bills of material


def test_what_an_image_holds_is_found_in_its_layers(image: BuiltImage) -> None:
    found = contents.of_image(image)
    assert contents.Package("deb", "bash", "5.2.15-2+b13") in found
    assert contents.Package("pypi", "kopf", "1.45.2", "MIT") in found
    modules = {package.name: package.version for package in found if package.kind == "golang"}
    assert re.fullmatch(r"v\d+\.\d+\.\d+", modules["github.com/rhysd/actionlint"])
    assert "github.com/bmatcuk/doublestar/v4" in modules


def test_an_images_bill_names_the_image_by_digest_and_each_part_by_its_package_url(image: BuiltImage) -> None:
    bill = json.loads(sbom.of_image("redis", "v9", f"sha256:{HEX}", contents.of_image(image), WHEN))
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": HEX}]
    assert bill["metadata"]["timestamp"].startswith("2026-01-02T03:04:05")
    urls = {component["purl"] for component in bill["components"]}
    assert "pkg:deb/debian/bash@5.2.15-2%2Bb13?distro=debian-12" in urls
    assert "pkg:pypi/kopf@1.45.2" in urls
    assert any(url.startswith("pkg:golang/github.com/rhysd/actionlint@v") for url in urls)
    [kopf] = [component for component in bill["components"] if component["name"] == "kopf"]
    assert kopf["licenses"] == [{"expression": "MIT"}]


def test_a_bill_is_the_same_for_the_same_content(image: BuiltImage) -> None:
    packages = contents.of_image(image)
    one = sbom.of_image("redis", "v9", f"sha256:{HEX}", packages, WHEN)
    assert sbom.of_image("redis", "v9", f"sha256:{HEX}", reversed(packages), WHEN) == one
    assert sbom.of_image("redis", "v9", f"sha256:{'b' * 64}", packages, WHEN) != one


@pytest.mark.parametrize("lock", ["requirements.lock", "images/airflow/requirements.lock"])
def test_a_lock_files_bill_holds_every_pin(lock: str) -> None:
    bill = json.loads(sbom.of_lock("x", "1", ROOT / lock, WHEN))
    pins = re.findall(r"^([A-Za-z0-9][\w.-]*)==", (ROOT / lock).read_text(), re.MULTILINE)
    assert len(bill["components"]) == len(set(pins)) > 50


def test_a_bill_that_breaks_the_schema_is_refused(image: BuiltImage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, bom: object) -> None: ...

        def output_as_string(self, *, indent: int) -> str:
            return '{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": "none"}'

    monkeypatch.setattr(sbom, "JsonV1Dot6", Broken)
    with pytest.raises(ReleaseError, match="does not fit the schema"):
        sbom.of_image("redis", "v9", f"sha256:{HEX}", [], WHEN)


# --- provenance

ON_GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "your-org/airflow-tenants",
    "GITHUB_REF": "refs/tags/v0.1.0",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_WORKFLOW_REF": "your-org/airflow-tenants/.github/workflows/release.yml@refs/tags/v0.1.0",
}


def test_the_provenance_tells_subjects_source_and_builder() -> None:
    facts = provenance.predicate(provenance.Build.of(ON_GITHUB, "c" * 40, WHEN), ROOT)
    made = provenance.statement({"redis": HEX}, facts)
    assert (made["_type"], made["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert made["subject"] == [{"name": "redis", "digest": {"sha256": HEX}}]
    details = made["predicate"]
    workflow = "https://github.com/your-org/airflow-tenants/.github/workflows/release.yml@refs/tags/v0.1.0"
    assert details["runDetails"]["builder"]["id"] == workflow
    assert details["runDetails"]["metadata"]["invocationId"].endswith("/runs/7/attempts/2")
    source, *locks = details["buildDefinition"]["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": "c" * 40}
    assert source["uri"].endswith("airflow-tenants@refs/tags/v0.1.0")
    assert [lock["name"] for lock in locks] == list(provenance.LOCKS)


@pytest.mark.parametrize("path", ["builder", "buildType", "unknown", "subject", "digest", "type"])
def test_a_statement_that_is_no_slsa_provenance_is_refused(path: str) -> None:
    facts = provenance.predicate(provenance.Build.of({}, "c" * 40, WHEN), ROOT)
    made: dict[str, Any] = provenance.statement({"redis": HEX}, facts)
    provenance.check(made)
    if path == "builder":
        made["predicate"]["runDetails"]["builder"] = {}
    elif path == "buildType":
        del made["predicate"]["buildDefinition"]["buildType"]
    elif path == "unknown":
        made["predicate"]["buildDefinition"]["surprise"] = 1
    elif path == "subject":
        made["subject"] = []
    elif path == "digest":
        made["subject"][0]["digest"] = {}
    else:
        made["_type"] = "https://in-toto.io/Statement/v0.1"
    with pytest.raises(ReleaseError, match="no SLSA v1 statement"):
        provenance.check(made)


# --- what is built, pushed and signed


def test_a_rehearsal_makes_charts_bills_notes_provenance_and_checksums(tmp_path: Path) -> None:
    assert main(["--dist", str(tmp_path / "dist"), "build", "--no-images"]) == 0
    dist = Dist(tmp_path / "dist")
    index = read_json(dist.index, "build")
    assert index["version"] == versions.current(ROOT)
    assert dist.notes.read_text() == changelog.newest(ROOT / "CHANGELOG.md", versions.current(ROOT))
    subjects = {entry["name"] for entry in json.loads(dist.provenance.read_text())["subject"]}
    assert {entry["file"] for entry in index["charts"]} <= subjects
    assert {path.name for path in dist.sboms.iterdir()} <= subjects
    assert len(index["charts"]) == len(list(dist.sboms.iterdir())) == 2


def test_the_checksums_fit_the_files_as_they_are_downloaded(tmp_path: Path, dist: Dist) -> None:
    flat = tmp_path / "downloads"
    flat.mkdir()
    main(["--dist", str(dist.folder), "build", "--no-images"])
    for path in [*dist.attached(), dist.checksums]:
        shutil.copy(path, flat)
    check = ["sha256sum", "--check", "--strict", dist.checksums.name]
    assert subprocess.run(check, cwd=flat, capture_output=True, timeout=60).returncode == 0
    (flat / dist.index.name).write_text("{}")
    assert subprocess.run(check, cwd=flat, capture_output=True, timeout=60).returncode == 1


def test_a_folder_with_something_else_in_it_is_not_emptied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("x")
    assert main(["--dist", str(tmp_path), "build", "--no-images"]) == 1
    assert (tmp_path / "mine").read_text() == "x"
    assert "name an empty folder" in capsys.readouterr().err


def test_a_layout_is_the_built_image_with_compressed_layers(image: BuiltImage, tmp_path: Path) -> None:
    digest = images.layout(image, tmp_path / "one")
    assert images.layout(image, tmp_path / "two") == digest
    manifest = json.loads((tmp_path / "one/blobs" / digest.replace(":", "/")).read_text())
    config = json.loads((tmp_path / "one/blobs" / manifest["config"]["digest"].replace(":", "/")).read_text())
    assert config["rootfs"]["diff_ids"] == list(image.layer_digests)
    assert sum(part["size"] for part in manifest["layers"]) < image.size / 2
    files = {path.name for path in (tmp_path / "one/blobs/sha256").iterdir()}
    assert files == {
        part["digest"].removeprefix("sha256:") for part in [manifest["config"], *manifest["layers"]]
    } | {digest.removeprefix("sha256:")}


def test_what_is_pushed_has_no_tag_before_it_is_signed(dist: Dist, registry: str) -> None:
    """An interrupted release leaves nothing that anybody finds."""
    target = f"{registry}/interrupted"
    pushed = steps.push(dist, target)
    for entry in everything(pushed):
        name, _, digest = entry["reference"].partition("@")
        assert crane("digest", entry["reference"]) == digest
        assert crane("ls", name) == ""
    assert steps.push(dist, target) == pushed  # and can be pushed again


def test_images_charts_and_manifests_are_in_the_registry_by_the_digest_that_was_built(
    dist: Dist, registry: str
) -> None:
    target = f"{registry}/airflow-tenants"
    pushed = steps.push(dist, target)
    tagged = steps.tag(dist)
    [entry] = read_json(dist.index, "build")["images"]
    version = versions.current(ROOT)
    for tag in (f"v9-{version}", "v9"):
        assert crane("digest", f"{target}/redis:{tag}") == entry["digest"]
        assert f"{target}/redis:{tag}" in tagged
    assert pushed["images"][0]["reference"] == f"{target}/redis@{entry['digest']}"
    # every layer arrives whole: its content is the diff id of the configuration
    crane("validate", "--remote", f"{target}/redis:v9")
    for part in [*pushed["charts"], *pushed["manifests"]]:
        name, _, digest = part["reference"].partition("@")
        assert crane("digest", f"{name}:{version}") == digest
    assert json.loads(dist.published.read_text()) == pushed


def test_a_released_tag_stays_and_the_programs_tag_moves(dist: Dist, registry: str) -> None:
    steps.push(dist, f"{registry}/stays")
    steps.tag(dist)
    assert steps.tag(dist)  # the same again is no change
    published = read_json(dist.published, "push")
    [chart] = [entry for entry in published["charts"] if entry["name"] == "tenant-operator"]
    [other] = [entry for entry in published["charts"] if entry["name"] == "airflow-tenant"]
    name, _, digest = chart["reference"].partition("@")
    images.push(dist.artifacts / "airflow-tenant", f"{name}@{other['reference'].partition('@')[2]}")
    images.tag(name, digest, "newest", moves=True)
    chart["reference"] = f"{name}@{other['reference'].partition('@')[2]}"
    dist.published.write_text(json.dumps(published))
    with pytest.raises(ReleaseError, match="what is released stays, make a new version"):
        steps.tag(dist)
    assert crane("digest", f"{name}:{versions.current(ROOT)}") == digest
    images.tag(name, other["reference"].partition("@")[2], "newest", moves=True)
    assert crane("digest", f"{name}:newest") == other["reference"].partition("@")[2]


@pytest.mark.parametrize(
    ("version", "tags"),
    [
        ("0.2.0", ["3.3.2-0.2.0", "3.3.2"]),
        ("0.10.0", ["3.3.2-0.10.0", "3.3.2"]),
        ("0.2.1-rc.1", ["3.3.2-0.2.1-rc.1"]),  # a candidate
        ("0.1.9", ["3.3.2-0.1.9"]),  # a repair of an old line
    ],
)
def test_only_the_newest_release_moves_the_programs_tag(version: str, tags: list[str]) -> None:
    released = ["v0.1.0", "v0.2.0", "v0.3.0-rc.1", "vendor"]
    newest = versions.is_newest(version, released)
    assert images.tags("airflow", "3.3.2", version, newest=newest) == tags
    assert images.tags("operator", "dev", version, newest=newest) == [version]


def test_the_manifests_artifact_holds_what_a_cluster_is_made_from_and_nothing_else(
    tmp_path: Path, dist: Dist
) -> None:
    layout = dist.artifacts / "manifests"
    [entry] = read_json(dist.index, "build")["manifests"]
    manifest = json.loads((layout / "blobs" / entry["digest"].replace(":", "/")).read_text())
    [content] = manifest["layers"]
    assert content["mediaType"] == "application/vnd.cncf.flux.content.v1.tar+gzip"
    with tarfile.open(layout / "blobs" / content["digest"].replace(":", "/")) as archive:
        names = archive.getnames()
    assert {name.partition("/")[0] for name in names} == set(artifacts.MANIFESTS)
    assert "manifests/operator/base/kustomization.yaml" in names
    assert artifacts.manifests(ROOT, tmp_path / "again") == entry["digest"]


def crane(*arguments: str) -> str:
    done = subprocess.run([str(tool("crane")), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_chart_is_installed_from_the_registry_as_it_was_packaged(
    dist: Dist, registry: str, tmp_path: Path
) -> None:
    pushed = steps.push(dist, f"{registry}/from")
    steps.tag(dist)
    for chart in pushed["charts"]:
        assert json.loads(crane("manifest", chart["reference"]))["config"]["mediaType"].startswith(
            "application/vnd.cncf.helm.config"
        )
    version = versions.current(ROOT)
    address = f"oci://{registry}/from/charts/tenant-operator"
    command = [str(tool("helm")), "pull", address, "--version", version, "--plain-http", "-d", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    name = f"tenant-operator-{version}.tgz"
    assert (tmp_path / name).read_bytes() == (dist.charts / name).read_bytes()
    with tarfile.open(tmp_path / name) as archive:
        body = archive.extractfile("tenant-operator/Chart.yaml")
        assert body is not None
        assert yaml.safe_load(body.read())["appVersion"] == version


def test_a_registry_that_holds_something_else_stops_the_release(dist: Dist, registry: str) -> None:
    index = read_json(dist.index, "build")
    index["images"][0]["digest"] = f"sha256:{HEX}"
    dist.index.write_text(json.dumps(index))
    with pytest.raises(ReleaseError, match=f"sha256:{HEX}"):
        steps.push(dist, f"{registry}/wrong")
    assert not dist.published.exists()


def test_a_registry_that_is_not_there_is_told(dist: Dist, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dist", str(dist.folder), "push", "127.0.0.1:1/x"]) == 1
    assert "crane push" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("step", "told"), [(("push", "r"), "build"), (("sign",), "push REGISTRY"), (("tag",), "push REGISTRY")]
)
def test_a_step_without_the_one_before_names_it(
    tmp_path: Path, step: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--dist", str(tmp_path), *step]) == 1
    assert f"run `python -m tools.release {told}` first" in capsys.readouterr().err


PUBLISHED = {
    "version": "0.1.0",
    "images": [{"name": "redis", "reference": f"r/redis@sha256:{HEX}", "sbom": "image-redis.cdx.json"}],
    "charts": [{"name": "tenant-operator", "reference": f"r/charts/tenant-operator@sha256:{HEX}"}],
    "manifests": [{"name": "manifests", "reference": f"r/manifests@sha256:{HEX}"}],
}


def test_everything_is_signed_by_digest_with_its_bill_and_provenance(tmp_path: Path) -> None:
    commands = list(signing.commands(Dist(tmp_path), PUBLISHED))
    assert [command[:2] + command[3:5] * (command[1] == "attest") for command in commands] == [
        ["cosign", "sign"],
        ["cosign", "attest", "--type", "cyclonedx"],
        ["cosign", "attest", "--type", "slsaprovenance1"],
        ["cosign", "sign"],
        ["cosign", "attest", "--type", "slsaprovenance1"],
        ["cosign", "sign"],
        ["cosign", "attest", "--type", "slsaprovenance1"],
        ["cosign", "sign-blob"],
    ]
    assert all(f"@sha256:{HEX}" in command[-1] for command in commands[:-1])
    assert commands[-1][-1] == str(tmp_path / "SHA256SUMS")


def test_the_dry_run_prints_what_would_be_called_and_calls_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    Dist(tmp_path).published.write_text(json.dumps(PUBLISHED))
    assert main(["--dist", str(tmp_path), "sign", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("cosign ") == 8


@pytest.mark.parametrize("code", [0, 3])
def test_signing_calls_cosign_and_stops_at_the_first_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    calls = tmp_path / "calls"
    program = tmp_path / "bin" / "cosign"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    Dist(tmp_path).published.write_text(json.dumps(PUBLISHED))
    assert main(["--dist", str(tmp_path), "sign"]) == (1 if code else 0)
    assert len(calls.read_text().splitlines()) == (1 if code else 8)
