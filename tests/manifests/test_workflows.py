"""The pipelines: valid, least rights, nothing unpinned, and no step that a developer cannot run."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
import yaml
from click.testing import CliRunner
from tools import git
from tools.manifests import diff, report
from tools.manifests.changes import Comparison
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

WORKFLOW_NAMES = ["ci.yml", "docs.yml", "manifests.yml", "nightly.yml", "release.yml"]
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
    assert [path.name for path in WORKFLOWS] == WORKFLOW_NAMES


@pytest.mark.parametrize("path", GITHUB, ids=ids)
def test_actionlint_has_nothing_to_say(path: Path) -> None:
    shellcheck = shutil.which("shellcheck")
    assert shellcheck or not os.environ.get("CI"), (
        "without shellcheck it sees less: .github/prepare-debian.sh"
    )
    done = run(tool("actionlint"), "-no-color", "-pyflakes=", f"-shellcheck={shellcheck or ''}", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        *(("vendor.gitlab-ci", path) for path in GITLAB),
        *(("vendor.github-actions", path) for path in COMPOSITES),
        ("vendor.dependabot", ROOT / ".github/dependabot.yml"),
        ("vendor.renovate", ROOT / ".github/renovate.json"),
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
        assert 0 < job["timeout-minutes"] <= (240 if path.name == "nightly.yml" else 120), name


def test_every_test_is_run_by_a_schedule_also_the_slow_ones() -> None:
    content = load(ROOT / ".github/workflows/nightly.yml")
    assert content.get("on", content.get(True))["schedule"]
    assert "make e2e-full" in scripts(ROOT / ".github/workflows/nightly.yml")
    [full] = re.findall(r"^e2e-full:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [shlex.split(line) for line in full.splitlines()]
    assert all(line[-2:] == ["-m", "e2e"] for line in lines), "nothing is left out"
    named = {word.removesuffix("/") for line in lines for word in line if word.startswith("tests/")}
    chosen = {path for pattern in named for path in ROOT.glob(pattern)}
    marked = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if "mark.slow" in path.read_text() or "mark.e2e" in path.read_text()
    ]
    assert marked
    for path in marked:
        assert chosen & {path, *path.parents}, f"make e2e-full does not run {path}"


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


def test_what_gitlab_caches_inside_the_project_is_not_checked_as_the_projects_own() -> None:
    folder = load(ROOT / ".gitlab-ci.yml")["variables"]["XDG_CACHE_HOME"].removeprefix("$CI_PROJECT_DIR/")
    assert f"/{folder}/" in load(ROOT / ".yamllint.yaml")["ignore"].split()
    assert f"/{folder}/" in (ROOT / ".gitignore").read_text().split(), "ruff reads it"


def evaluates(rule: str, **given: str) -> bool:
    """A rule of GitLab made of comparisons joined by &&: https://docs.gitlab.com/ci/jobs/job_rules/."""
    pairs = [part.split(" == ") for part in rule.split(" && ")]
    return all(value(left, given) == value(right, given) for left, right in pairs)


def value(word: str, given: dict[str, str]) -> str:
    return given.get(word[1:], "") if word.startswith("$") else word.strip('"')


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ({"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}, True),
        ({"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "x"}, False),
        ({"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main"}, False),
        (
            {
                "CI_PIPELINE_SOURCE": "merge_request_event",
                "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "platform/airflow-tenants",
            },
            True,
        ),
        (
            {
                "CI_PIPELINE_SOURCE": "merge_request_event",
                "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "stranger/airflow-tenants",
            },
            False,
        ),
    ],
)
def test_a_forks_code_never_gets_to_the_runner_of_ones_own(given: dict[str, str], runs: bool) -> None:
    content = load(ROOT / ".gitlab-ci.yml")
    own = [job for job in content.values() if isinstance(job, dict) and "tags" in job]
    assert [job["script"] for job in own] == [[".ci/run"], ["make e2e-full"]]
    fixed = {"CI_PROJECT_PATH": "platform/airflow-tenants", "CI_DEFAULT_BRANCH": "main"}
    started = [any(evaluates(rule["if"], **fixed, **given) for rule in job["rules"]) for job in own]
    assert started == [runs, given["CI_PIPELINE_SOURCE"] == "schedule"]


def containers(path: Path) -> list[str]:
    found = [job["container"] for job in jobs(path).values() if "container" in job]
    return [entry["image"] if isinstance(entry, dict) else entry for entry in found]


def test_the_containers_of_jobs_are_one_image_pinned_by_digest() -> None:
    images = {image for path in WORKFLOWS for image in containers(path)}
    assert len(images) == 1
    assert re.fullmatch(r"debian:bookworm-\d{8}@sha256:[0-9a-f]{64}", images.pop())


def test_what_is_published_is_made_without_caches_that_others_fill() -> None:
    uses = [
        step
        for step in steps(ROOT / ".github/workflows/release.yml")
        if step.get("uses") == "./.github/actions/prepare"
    ]
    assert len(uses) == 2
    assert all(step["with"]["cache"] == "false" for step in uses)
    for path in COMPOSITES:
        for step in steps(path):
            name = step.get("uses", "").partition("@")[0]
            if name == "actions/cache":
                assert step["if"] == "inputs.cache == 'true'"
            elif name.startswith("actions/setup-"):
                assert "inputs.cache" in step["with"]["cache"]
    everything = (ROOT / ".github/workflows/release.yml").read_text()
    assert not re.search(r"uses: (actions/cache|actions/setup-|astral-sh)", everything)


def test_only_what_is_in_main_is_released_and_no_tag_pushes_another_out_of_the_queue() -> None:
    path = ROOT / ".github/workflows/release.yml"
    [check] = [words for words in called(path) if "check" in words]
    assert check[-2:] == ["--branch", "origin/main"]
    build = jobs(path)["build"]["steps"]
    [checkout] = [step for step in build if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["fetch-depth"] == 0  # else there is no origin/main, and no earlier tag
    assert load(path)["concurrency"] == {"group": "release-${{ github.ref }}", "cancel-in-progress": False}


# --- the comment of a pull request


GH = """#!/bin/sh
printf '%s\\n' "$*" >> calls
case "$*" in *--jq*) printf '%s' "$KNOWN" ;; *) cat comment.md > posted ;; esac
"""
NOTHING = "## What this changes in the clusters\n\nNo object of any overlay changes.\n"


def comment(tmp_path: Path, difference: str | None, known: str) -> tuple[list[str], str]:
    """Run the step as GitHub does, with a stand-in for gh; the calls and the comment's text."""
    [script] = [
        step["run"] for step in jobs(ROOT / ".github/workflows/manifests.yml")["comment"]["steps"][1:]
    ]
    if difference is not None:
        (tmp_path / "diff.md").write_text(difference)
    gh = tmp_path / "bin/gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    environment = {
        "PATH": f"{gh.parent}:{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "o/r",
        "NUMBER": "7",
        "COMMIT": "c0ffee",
        "RUN": "https://example.com/run",
        "KNOWN": known,
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    posted = tmp_path / "posted"
    return (tmp_path / "calls").read_text().splitlines(), posted.read_text() if posted.exists() else ""


def test_the_comment_says_of_which_commit_it_is_and_is_found_again_by_its_mark(tmp_path: Path) -> None:
    [listed, posted], text = comment(tmp_path, "## What\n1 changed\n", "")
    assert text == "<!-- manifests-diff -->\n## What\n1 changed\n\nOf commit c0ffee.\n"
    assert posted.startswith("api --method POST repos/o/r/issues/7/comments ")
    assert 'startswith("<!-- manifests-diff -->")' in listed


def test_the_same_comment_is_written_again_and_nobody_elses(tmp_path: Path) -> None:
    [_, posted], _ = comment(tmp_path, "## What\n1 changed\n", "11\n12")
    assert posted.startswith("api --method PATCH repos/o/r/issues/comments/11 ")


@pytest.mark.parametrize("difference", [None, ""])
def test_a_difference_that_could_not_be_made_replaces_the_old_one(
    tmp_path: Path, difference: str | None
) -> None:
    [_, posted], text = comment(tmp_path, difference, "11")
    assert "PATCH" in posted
    assert "could not be made: [the run](https://example.com/run)" in text
    assert "c0ffee" in text


def test_a_pull_request_that_changes_no_object_gets_no_comment_but_an_old_one_is_corrected(
    tmp_path: Path,
) -> None:
    assert report.markdown(Comparison((), ()), {}, {}) == NOTHING
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    calls, _ = comment(tmp_path / "a", NOTHING, "")
    assert len(calls) == 1
    _, text = comment(tmp_path / "b", NOTHING, "11")
    assert NOTHING in text


def test_the_comment_comes_after_a_failure_too_and_the_check_runs_for_every_pull_request() -> None:
    content = load(ROOT / ".github/workflows/manifests.yml")
    assert content[True] == {"pull_request": None}
    assert content["jobs"]["comment"]["needs"] == "diff"
    assert "!cancelled()" in content["jobs"]["comment"]["if"]
    after = content["jobs"]["diff"]["steps"]
    late = after[[step.get("name") for step in after].index("What changes") + 1 :]
    assert late
    assert all("!cancelled()" in step["if"] for step in late)


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
    assert [found[3] for found in words] == ["check", "build", "push", "sign", "tag"]
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
    assert privileged == {
        ("ci.yml", "test"),
        ("ci.yml", "e2e"),
        ("nightly.yml", "e2e-full"),
        ("release.yml", "build"),
    }


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


def test_the_templates_lint_with_the_platforms_own_linter() -> None:
    """From the repository that the job reads anyway: that may be private, and needs no second token."""
    project = tomllib.loads((ROOT / "dags/lint/pyproject.toml").read_text())["project"]
    assert "dag-lint" in project["scripts"]
    for template in ("github-dags.yml", "gitlab-dags.yml"):
        [line] = [words for words in called(TEAMS / template) if words[0] == "uvx"]
        assert line[1:4] == ["--from", "platform/dags/lint", "dag-lint"]
    [hook] = load(TEAMS / "pre-commit-config.yaml")["repos"]
    known = {entry["id"] for entry in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert hook["rev"] == f"v{project['version']}"
    assert {entry["id"] for entry in hook["hooks"]} <= known


def test_a_teams_workflow_reads_the_private_repository_and_registry_with_rights_of_its_own() -> None:
    """GITHUB_TOKEN reads the workflow's own repository only."""
    found = jobs(TEAMS / "github-dags.yml")
    reader, platform = [step for step in found["lint"]["steps"] if "uses" in step][1:3]
    assert reader["uses"].startswith("actions/create-github-app-token@")
    assert platform["with"]["repository"] == f"{reader['with']['owner']}/{reader['with']['repositories']}"
    assert {name for name in reader["with"] if name.startswith("permission-")} == {"permission-contents"}
    assert reader["with"]["permission-contents"] == "read"
    assert platform["with"]["token"] == f"${{{{ steps.{reader['id']}.outputs.token }}}}"
    read = platform["with"]["sparse-checkout"].split()
    assert read == ["manifests/tenants/base/payments", "dags/lint"]
    assert all((ROOT / path).is_dir() for path in read)
    assert set(found["parse"]["container"]["credentials"]) == {"username", "password"}
    onboarding = (ROOT / "docs/onboarding.md").read_text()
    for name in re.findall(r"(?:vars|secrets)\.([A-Z_]+)", (TEAMS / "github-dags.yml").read_text()):
        assert f"`{name}`" in onboarding


def test_the_templates_parse_in_the_image_that_production_runs() -> None:
    defaults = yaml.safe_load((ROOT / "manifests/operator/production/defaults.yaml").read_text())
    image = "{repository}:{tag}".format(**defaults["images"]["airflow"])
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


def owners(path: str) -> set[str]:
    """The owners of a file: the last line that fits."""
    lines = [line.split() for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines()]
    found: list[str] = []
    for pattern, *names in [words for words in lines if words and not words[0].startswith("#")]:
        wanted = pattern.lstrip("/")
        if pattern == "*" or path == wanted or (wanted.endswith("/") and path.startswith(wanted)):
            found = names
    return {name.rpartition("/")[2] for name in found}


def built_from(folder: Path) -> set[Path]:
    """Every file that a kustomization is built from."""
    content = yaml.safe_load((folder / "kustomization.yaml").read_text())
    listed = [*content.get("resources", []), *content.get("components", [])]
    listed += [patch["path"] for patch in content.get("patches", []) if "path" in patch]
    found = {folder / "kustomization.yaml"}
    for entry in listed:
        path = (folder / entry).resolve()
        found |= built_from(path) if path.is_dir() else {path}
    return found


def test_a_team_alone_changes_in_production_only_which_release_of_its_dags_runs() -> None:
    """Of several owners one is enough, so a line with a team and the platform is the team's alone."""
    files = {ids(path) for path in built_from(ROOT / "manifests/tenants/production")}
    assert any(path.startswith("manifests/tenants/base/") for path in files)
    by_a_team = {path for path in files if owners(path) - {"airflow-platform", "security"}}
    assert by_a_team
    assert {Path(path).name for path in by_a_team} == {"release.yaml"}
    for path in by_a_team:
        assert owners(path) == {Path(path).parent.name, "airflow-platform"}


def test_a_team_changes_its_staging_by_itself_and_nobody_elses() -> None:
    for folder in (ROOT / "manifests/tenants/staging").iterdir():
        if folder.is_dir() and folder.name != "platform":
            assert owners(f"{ids(folder)}/tenant.yaml") == {folder.name}
    assert owners("manifests/tenants/staging/new/tenant.yaml") == {"airflow-platform"}


def test_dependabot_looks_where_pins_are() -> None:
    entries = {
        entry["package-ecosystem"]: entry for entry in load(ROOT / ".github/dependabot.yml")["updates"]
    }
    folders = entries["github-actions"]["directories"]
    assert [folder for folder in folders if folder != "/"] == [f"/{ids(path.parent)}" for path in COMPOSITES]
    [pattern] = entries["gomod"]["directories"]
    assert list(ROOT.glob(f"{pattern.lstrip('/')}/go.mod"))
    assert (ROOT / entries["npm"]["directory"].lstrip("/") / "package-lock.json").is_file()


def test_renovate_looks_where_charts_and_containers_are_pinned() -> None:
    found = json.loads((ROOT / ".github/renovate.json").read_text())
    assert set(found["enabledManagers"]) == {"flux", "github-actions"}
    [pattern] = found["flux"]["managerFilePatterns"]
    wanted = re.compile(pattern.strip("/"))
    files = [
        path for path in (ROOT / "manifests").rglob("*.yaml") if "kind: HelmRelease\n" in path.read_text()
    ]
    read = [path for path in files if wanted.search(ids(path))]
    charts = ROOT / "manifests/infrastructure/controllers"
    assert read
    assert read == [path for path in files if path.is_relative_to(charts)]


def test_the_promotion_in_the_documentation_is_a_patch_that_applies(tmp_path: Path) -> None:
    text = (ROOT / "docs/onboarding.md").read_text()
    [patch] = re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
    shutil.copytree(ROOT / "manifests/tenants", tmp_path / "manifests/tenants")
    (tmp_path / "promotion.diff").write_text(patch)
    for arguments in (["init", "-q"], ["apply", "promotion.diff"]):
        command = git.command(tmp_path, *arguments)
        done = subprocess.run(command, env=git.environment(), capture_output=True, text=True, timeout=60)
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


@pytest.mark.parametrize("page", ["docs/onboarding.md", "docs/releasing.md"])
def test_every_file_and_target_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    named = [ROOT / path for path in re.findall(r"`((?:manifests|images|docs|charts)/[\w./-]+)`", text)]
    linked = [ROOT / "docs" / path for path in re.findall(r"\]\((?!https?:)([^)#]+)", text)]
    assert len(named) + len(linked) >= 3
    for path in [*named, *linked]:
        assert Path(str(path).replace("payments2", "payments")).exists(), path
    targets = re.findall(r"\bmake ([a-z][a-z0-9-]*-[a-z0-9-]+)", text)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def test_the_page_on_releases_calls_every_step_with_arguments_that_it_takes() -> None:
    text = (ROOT / "docs/releasing.md").read_text()
    calls = re.findall(r"^ *\$ \.venv/bin/python -m tools\.release (.+)$", text, re.MULTILINE)
    called_ = {release.parser().parse_args(shlex.split(call)).action.__name__ for call in calls}
    assert called_ == {"_check", "_build", "_push", "_sign", "_tag", "_mirror"}


def test_the_page_on_releases_names_the_settings_that_no_file_can_make() -> None:
    text = (ROOT / "docs/releasing.md").read_text()
    assert re.search(r"ruleset for tags `v\*`.+restricted", text)
    assert re.search(r"environment `release`.+required reviewers.+only tags `v\*`", text)
