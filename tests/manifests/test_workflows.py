"""The pipelines: valid, least rights, nothing unpinned, and no step that a developer cannot run."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
import yaml
from click.testing import CliRunner
from tools.manifests import diff
from tools.release import __main__ as release
from tools.release.common import Dist

from devcluster.tools import tool

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
COMPOSITES = sorted((ROOT / ".github/actions").glob("*/action.yml"))
TEAMS = ROOT / "docs/ci"
GITHUB = [*WORKFLOWS, TEAMS / "github-dags.yml"]
GITLAB = [ROOT / ".gitlab-ci.yml", TEAMS / "gitlab-dags.yml"]
AIRFLOW_PYTHON = ROOT / ".venv-airflow/bin/python"

#: the only places that may write, and what
WRITES = {
    ("manifests.yml", "comment"): {"pull-requests"},
    ("docs.yml", "deploy"): {"pages", "id-token"},
    ("release.yml", "publish"): {"packages", "id-token", "attestations"},
    ("release.yml", "github"): {"contents"},
}


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def load(path: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(path.read_text())
    return content


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(path)["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    content = load(path)
    if "runs" in content:
        return list(content["runs"]["steps"])
    return [step for job in content["jobs"].values() for step in job["steps"]]


def scripts(path: Path) -> list[str]:
    """Every shell line that a pipeline runs."""
    content = load(path)
    if "jobs" in content or "runs" in content:
        return [step["run"] for step in steps(path) if "run" in step]
    return [
        line
        for job in content.values()
        if isinstance(job, dict)
        for line in [*job.get("script", []), *job.get("before_script", [])]
    ]


def run(*command: str | Path, cwd: Path = ROOT, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=seconds
    )


# --- valid


def test_there_is_a_workflow_for_each_purpose() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "docs.yml", "manifests.yml", "release.yml"]


@pytest.mark.parametrize("path", GITHUB, ids=ids)
def test_actionlint_has_nothing_to_say(path: Path) -> None:
    done = run(tool("actionlint"), "-no-color", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        *(("vendor.gitlab-ci", path) for path in GITLAB),
        *(("vendor.github-actions", path) for path in COMPOSITES),
        ("vendor.dependabot", ROOT / ".github/dependabot.yml"),
    ],
    ids=str,
)
def test_a_pipeline_fits_its_hosts_schema(schema: str, path: Path) -> None:
    done = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, str(path)])
    assert done.exit_code == 0, done.output


# --- safe


@pytest.mark.parametrize("path", [*GITHUB, *COMPOSITES], ids=ids)
def test_every_action_is_pinned_by_its_full_commit_and_says_its_version(path: Path) -> None:
    lines = [line.strip() for line in path.read_text().splitlines() if re.search(r"^\s*(- )?uses:", line)]
    outside = [line for line in lines if "uses: ./" not in line]
    assert outside
    for line in outside:
        assert re.search(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_one_action_has_one_pin_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in [*GITHUB, *COMPOSITES]:
        for action, rest in re.findall(r"uses: ([\w.-]+/[\w./-]+)@(.+)", path.read_text()):
            pins.setdefault(action, set()).add(rest)
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", GITHUB, ids=ids)
def test_a_workflow_gives_no_right_and_each_job_only_what_it_needs(path: Path) -> None:
    assert load(path)["permissions"] == {}
    for name, job in jobs(path).items():
        rights = job["permissions"]
        writing = {right for right, level in rights.items() if level == "write"}
        assert writing == WRITES.get((path.name, name), set()), name
        assert set(rights) - writing <= {"contents"}, name


@pytest.mark.parametrize("path", GITHUB, ids=ids)
def test_every_job_ends_in_time_and_every_workflow_knows_its_rivals(path: Path) -> None:
    assert load(path)["concurrency"]["group"]
    for name, job in jobs(path).items():
        assert 0 < job["timeout-minutes"] <= 120, name


@pytest.mark.parametrize("path", GITHUB, ids=ids)
def test_a_checkout_leaves_no_token_behind(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", [*GITHUB, *COMPOSITES], ids=ids)
def test_no_script_is_put_together_from_what_others_write(path: Path) -> None:
    assert [script for script in scripts(path) if "${{" in script] == []


def test_code_of_a_pull_request_sees_no_secret_and_no_right_to_write() -> None:
    for path in WORKFLOWS:
        content = load(path)
        triggers = content.get("on", content.get(True))  # YAML 1.1 reads `on` as a truth
        assert "pull_request_target" not in triggers
        assert "workflow_run" not in triggers
        if "pull_request" not in triggers:
            continue
        assert "secrets." not in path.read_text()
        for job in content["jobs"].values():
            runs_code = any("actions/checkout@" in step.get("uses", "") for step in job["steps"])
            assert not (runs_code and "write" in job["permissions"].values())


@pytest.mark.parametrize("path", GITLAB, ids=ids)
def test_gitlabs_jobs_end_in_time_and_use_no_secret(path: Path) -> None:
    content = load(path)
    hidden = {name: job for name, job in content.items() if name.startswith(".")}
    for name, job in content.items():
        if not isinstance(job, dict) or "script" not in job:
            continue
        assert "timeout" in {**hidden.get(job.get("extends", ""), {}), **job}, name
    used = set(re.findall(r"\$\{?([A-Z_]+)", path.read_text()))
    assert {name for name in used if re.search("SECRET|PASSWORD|TOKEN|KEY", name)} <= {"CI_JOB_TOKEN"}


# --- steps that run anywhere


def commands(script: str) -> Iterator[list[str]]:
    for line in re.split(r"\n|&&|;", script):
        words = shlex.split(line, comments=True)
        if words:
            yield words


def called(path: Path) -> list[list[str]]:
    return [words for script in scripts(path) for words in commands(script)]


def test_every_make_target_that_a_pipeline_calls_exists() -> None:
    targets = {
        words[1]
        for path in [*WORKFLOWS, *COMPOSITES, ROOT / ".gitlab-ci.yml"]
        for words in called(path)
        if words[0] == "make" and "$" not in words[1]
    }
    targets |= {
        step["with"]["target"]
        for path in WORKFLOWS
        for step in steps(path)
        if "target" in step.get("with", {})
    }
    assert {"lint", "check", "e2e", "validate", "docs", "setup", "release-check"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    known = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE)) | {".venv/.ready"}
    assert targets - known == set()


def test_every_python_module_that_a_pipeline_calls_exists_and_takes_its_arguments() -> None:
    parsers = {"tools.manifests.diff": diff.parser, "tools.release": release.parser}
    calls = [
        words[2:]
        for path in [*WORKFLOWS, ROOT / ".gitlab-ci.yml"]
        for words in called(path)
        if words[0] == ".venv/bin/python"
    ]
    assert {module for module, *_ in calls} == set(parsers)
    for module, *arguments in calls:
        parsers[module]().parse_args(arguments)  # exits when an argument is wrong


def test_every_file_that_a_pipeline_runs_exists_and_is_executable() -> None:
    files = {
        words[0]
        for path in [*WORKFLOWS, *COMPOSITES, ROOT / ".gitlab-ci.yml"]
        for words in called(path)
        if words[0].startswith((".github/", ".ci/"))
    }
    assert files == {".github/prepare-debian.sh", ".ci/run"}
    for file in files:
        assert (ROOT / file).stat().st_mode & 0o111


def test_a_release_runs_its_steps_in_their_order() -> None:
    words = [words for words in called(ROOT / ".github/workflows/release.yml") if "tools.release" in words]
    assert [found[3] for found in words] == ["check", "build", "push", "sign"]
    order = jobs(ROOT / ".github/workflows/release.yml")
    assert (order["publish"]["needs"], order["github"]["needs"]) == ("build", "publish")
    assert order["publish"]["environment"] == "release"


def test_the_release_page_gets_every_file_that_a_release_attaches(tmp_path: Path) -> None:
    dist = Dist(tmp_path)
    made = [
        dist.charts / "a-0.1.0.tgz",
        dist.sboms / "b.cdx.json",
        dist.provenance,
        dist.index,
        dist.checksums,
    ]
    for path in made:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert {*dist.attached(), dist.checksums} == set(made)
    [create] = [words for words in called(ROOT / ".github/workflows/release.yml") if words[0] == "gh"]
    patterns = [word.removeprefix("dist/") for word in create if word.startswith("dist/")]
    given = {path for pattern in patterns for path in dist.folder.glob(pattern)}
    assert set(made) <= given


def test_ci_runs_what_a_developer_runs_before_a_change_lands() -> None:
    """`.ci/run` calls the tests and the end-to-end suite; so does the workflow."""
    local = {
        words[1]
        for line in (ROOT / ".ci/run").read_text().splitlines()
        for words in commands(line)
        if words[0] == "make"
    }
    targets = {words[1] for words in called(ROOT / ".github/workflows/ci.yml") if words[0] == "make"}
    assert {"test", "e2e"} <= local
    assert {"lint", "check", "e2e"} <= targets  # check: generate and test
    assert "check: generate test" in (ROOT / "Makefile").read_text()


def test_the_privileged_container_is_only_where_images_and_nodes_are_made() -> None:
    privileged = {
        (path.name, name)
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        if isinstance(job.get("container"), dict) and "--privileged" in job["container"].get("options", "")
    }
    assert privileged == {("ci.yml", "test"), ("ci.yml", "e2e"), ("release.yml", "build")}


# --- what teams copy


GOOD = """
from airflow.sdk import DAG, task

with DAG("good", schedule=None, tags=["t"]):

    @task
    def one() -> None: ...

    one()
"""


def parse(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(AIRFLOW_PYTHON, TEAMS / "parse_dags.py", folder, cwd=folder, seconds=90)


def test_the_teams_parse_check_accepts_the_demos_repository() -> None:
    done = parse(ROOT / "demo/repositories/payments/dags")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 DAGs in 1 files, 0 findings" in done.stdout


@pytest.mark.covers("S000-24", "S001-08")
def test_a_teams_pipeline_refuses_a_file_that_does_not_import_or_that_warns(tmp_path: Path) -> None:
    """The template's own command, run as it stands there, on a repository with three DAG files."""
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "good.py").write_text(GOOD)
    (dags / "missing.py").write_text("import nothing_like_it\n" + GOOD)
    (dags / "old.py").write_text(
        "import warnings\nwarnings.warn('old way', FutureWarning)\n" + GOOD.replace('"good"', '"old"')
    )
    shutil.copy(TEAMS / "parse_dags.py", tmp_path)
    [line] = [words for words in called(TEAMS / "github-dags.yml") if "parse_dags.py" in words]
    done = run(AIRFLOW_PYTHON, *line[1:], cwd=tmp_path, seconds=90)
    assert done.returncode == 1
    assert "missing.py: " in done.stdout
    assert "nothing_like_it" in done.stdout
    assert "old.py: " in done.stdout
    assert "old way" in done.stdout
    assert "2 findings" in done.stdout
    for name in ("missing.py", "old.py"):
        (dags / name).unlink()
    assert run(AIRFLOW_PYTHON, *line[1:], cwd=tmp_path, seconds=90).returncode == 0


def test_the_teams_parse_check_refuses_an_empty_folder_and_names_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    assert parse(tmp_path / "dags").returncode == 1
    done = run(AIRFLOW_PYTHON, TEAMS / "parse_dags.py", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "nowhere is no folder\n")


@pytest.mark.covers("S000-24")
@pytest.mark.parametrize("template", ["github-dags.yml", "gitlab-dags.yml"])
def test_a_teams_pipeline_lints_its_dags_with_the_pools_of_its_tenant(tmp_path: Path, template: str) -> None:
    """The template's own command line, with the installed dag-lint and the tenant of this repository."""
    [line] = [words for words in called(TEAMS / template) if "dag-lint" in words]
    arguments = line[line.index("dag-lint") + 1 :]
    tenant = tmp_path / "platform/manifests/tenants/base/payments/tenant.yaml"
    tenant.parent.mkdir(parents=True)
    shutil.copy(ROOT / tenant.relative_to(tmp_path / "platform"), tenant)
    shutil.copytree(ROOT / "demo/repositories/payments/dags", tmp_path / "dags")
    program = Path(sys.executable).parent / "dag-lint"
    clean = run(program, *arguments, cwd=tmp_path)
    assert clean.returncode == 0, clean.stdout
    file = tmp_path / "dags/settlement.py"
    assert "settlement_api" in file.read_text()
    file.write_text(file.read_text().replace("settlement_api", "no_such_pool"))
    found = run(program, *arguments, cwd=tmp_path)
    assert found.returncode == 1
    assert "no_such_pool" in found.stdout


def test_the_templates_name_the_linter_that_is_here_and_a_version_of_it() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "dags/lint/pyproject.toml").read_text(), re.MULTILINE)
    assert version
    source = (
        f"dag-lint @ git+https://github.com/your-org/airflow-tenants@v{version[1]}#subdirectory=dags/lint"
    )
    for template in ("github-dags.yml", "gitlab-dags.yml"):
        assert source in (TEAMS / template).read_text()
    [hook] = load(TEAMS / "pre-commit-config.yaml")["repos"]
    known = {entry["id"] for entry in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert hook["rev"] == f"v{version[1]}"
    assert {entry["id"] for entry in hook["hooks"]} <= known


def test_the_templates_parse_in_the_image_that_tenants_run() -> None:
    chart = yaml.safe_load((ROOT / "charts/airflow-tenant/Chart.yaml").read_text())
    image = f"registry.example.com/airflow-tenants/airflow:{chart['appVersion']}"
    assert jobs(TEAMS / "github-dags.yml")["parse"]["container"]["image"] == image
    assert load(TEAMS / "gitlab-dags.yml")["parse"]["image"]["name"] == image


def test_the_program_that_teams_copy_needs_nothing_but_airflow() -> None:
    tree = ast.parse((TEAMS / "parse_dags.py").read_text())
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    outside = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"__future__"}
    assert outside == {"airflow"}


# --- owners, pins, promotion


def test_every_path_with_an_owner_exists() -> None:
    lines = [line.split() for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines()]
    rules = [words for words in lines if words and not words[0].startswith("#")]
    assert rules[0][0] == "*"
    for path, *owners in rules[1:]:
        assert (ROOT / path.lstrip("/")).exists(), path
        assert owners
        assert all(owner.startswith("@your-org/") for owner in owners)


def test_dependabot_looks_where_pins_are() -> None:
    entries = {
        entry["package-ecosystem"]: entry for entry in load(ROOT / ".github/dependabot.yml")["updates"]
    }
    folders = entries["github-actions"]["directories"]
    assert [folder for folder in folders if folder != "/"] == [f"/{ids(path.parent)}" for path in COMPOSITES]
    [pattern] = entries["gomod"]["directories"]
    assert list(ROOT.glob(f"{pattern.lstrip('/')}/go.mod"))
    assert (ROOT / entries["npm"]["directory"].lstrip("/") / "package-lock.json").is_file()


def test_the_promotion_in_the_documentation_is_a_patch_that_applies(tmp_path: Path) -> None:
    text = (ROOT / "docs/onboarding.md").read_text()
    [patch] = re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
    shutil.copytree(ROOT / "manifests/tenants", tmp_path / "manifests/tenants")
    (tmp_path / "promotion.diff").write_text(patch)
    assert run("git", "init", "-q", cwd=tmp_path).returncode == 0
    done = run("git", "apply", "promotion.diff", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    built = {}
    for environment in ("staging", "production"):
        folder = tmp_path / "manifests/tenants" / environment / "payments"
        done = run(tool("kustomize"), "build", folder)
        assert done.returncode == 0, done.stderr
        [tenant] = [item for item in yaml.safe_load_all(done.stdout) if item["kind"] == "AirflowTenant"]
        built[environment] = tenant["spec"]["dags"]["sources"][0]["gitSync"]["ref"]
    [new] = re.findall(r"^\+  value: (\S+)$", patch, re.MULTILINE)
    assert built == {"staging": "main", "production": new}


def test_every_file_and_option_that_the_two_pages_name_exists() -> None:
    for page in ("docs/onboarding.md", "docs/releasing.md"):
        text = (ROOT / page).read_text()
        paths = re.findall(r"`((?:manifests|images|docs|charts)/[\w./-]+)`", text)
        for path in paths:
            assert (ROOT / path.replace("payments2", "payments")).exists(), f"{page}: {path}"
        for target in re.findall(r"^ *\$ make ([a-z0-9-]+)", text, re.MULTILINE):
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    assert re.findall(r"tools\.release (?:--dist \S+ )?([a-z]+)", (ROOT / "docs/releasing.md").read_text())
