"""What a change of manifests/ does to the clusters: shown object by object, the dangerous part on top."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.git_remote import GIT_ENV
from tools import git
from tools.manifests import changes, diff, overlays, report

ROOT = Path(__file__).resolve().parents[2]
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
GUARDED = {
    "argocd.argoproj.io/sync-options": "Prune=confirm,Delete=confirm",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


class Repository:
    """A small repository with a base, two overlays that take it in, and a component."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        self.put("base/tenant.yaml", tenant("payments"))
        self.put("base/kustomization.yaml", f"{KUSTOMIZATION}resources: [tenant.yaml]\n")
        component = KUSTOMIZATION.replace("v1beta1", "v1alpha1").replace("Kustomization", "Component")
        self.put("part/kustomization.yaml", component + "labels: [{pairs: {part: yes-it-is}}]\n")
        for overlay in ("staging", "production"):
            text = f"{KUSTOMIZATION}resources: [../base]\ncomponents: [../part]\n"
            self.put(f"{overlay}/kustomization.yaml", text)
        self.first = self.commit()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=git.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def put(self, path: str, content: str | dict[str, Any]) -> None:
        file = self.folder / "manifests" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def run(self, *arguments: str) -> int:
        return diff.main([*arguments, "--repository", str(self.folder)])


def tenant(name: str, policy: str = "Retain", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "airflowtenants.io/v1alpha1",
        "kind": "AirflowTenant",
        "metadata": {"name": name, "annotations": dict(GUARDED)},
        "spec": {"owner": {"team": name}, "deletionPolicy": policy, **more},
    }


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name, value in GIT_ENV.items():  # also for the git of the program: no hook, no setting of the user
        monkeypatch.setenv(name, value)
    return Repository(tmp_path)


def compared(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> changes.Comparison:
    return changes.compare({"staging": before}, {"staging": after})


def test_overlays_are_what_no_other_kustomization_takes_in(repository: Repository) -> None:
    assert overlays.roots(repository.folder / "manifests") == ["production", "staging"]


@pytest.mark.parametrize("name", ["kustomization.yml", "Kustomization"])
def test_a_kustomization_has_three_names(
    repository: Repository, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("staging", "base"):
        text = (repository.folder / f"manifests/{folder}/kustomization.yaml").read_text()
        repository.git("rm", "-q", "-f", f"manifests/{folder}/kustomization.yaml")
        repository.put(f"{folder}/{name}", text)
    assert overlays.roots(repository.folder / "manifests") == ["production", "staging"]
    repository.put("staging/tenant.yaml", tenant("new"))
    repository.put(f"staging/{name}", f"{KUSTOMIZATION}resources: [tenant.yaml]\n")
    assert repository.run("main") == 0
    assert "AirflowTenant new: added in staging" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["resources: [", "- a\n", b"\xff\xfe\x00", "a: &a [*a]\nresources: *a\n"])
def test_a_root_that_breaks_does_not_make_its_children_look_new(
    repository: Repository, text: str | bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.put("fleet/kustomization.yaml", f"{KUSTOMIZATION}resources: [one]\n")
    repository.put("fleet/one/kustomization.yaml", f"{KUSTOMIZATION}resources: [tenant.yaml]\n")
    repository.put("fleet/one/tenant.yaml", tenant("one"))
    repository.commit()
    file = repository.folder / "manifests/fleet/kustomization.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert repository.run("main") == 2
    said = capsys.readouterr()
    assert "fleet cannot be built" in said.err
    assert "added" not in said.out
    repository.commit()
    repository.put("fleet/kustomization.yaml", f"{KUSTOMIZATION}resources: [one]\n")
    assert repository.run("main") == 0
    assert "removed" not in capsys.readouterr().out


@pytest.mark.parametrize("field", ["resources: 5", "components: {a: b}", "resources: [{a: b}, 3]"])
def test_a_kustomization_with_wrong_types_is_kustomizes_to_tell(
    repository: Repository, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.put("staging/kustomization.yaml", f"{KUSTOMIZATION}{field}\n")
    assert repository.run("main") == 2
    assert "staging cannot be built" in capsys.readouterr().err


def test_what_no_cluster_applies_is_not_shown(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Moving a setting from staging to base changes production, and that is all that is to be seen."""
    for folder in overlays.NO_CLUSTER:
        assert (ROOT / "manifests" / folder).is_dir()
        repository.put(f"{folder}/kustomization.yaml", f"{KUSTOMIZATION}resources: [../../base]\n")
    repository.commit()
    repository.put("base/tenant.yaml", tenant("payments", suspend=True))
    assert repository.run("main") == 0
    assert "changed in production, staging\n" in capsys.readouterr().out


def test_a_hooks_variables_do_not_lead_to_another_repository(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository(tmp_path_factory.mktemp("other"))
    repository.put("base/tenant.yaml", tenant("payments", suspend=True))
    second = repository.commit()
    for name, value in {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_WORK_TREE": "."}.items():
        monkeypatch.setenv(name, str(other.folder / value))
    assert repository.run("HEAD~1", second, "--exit-code") == 1


def test_a_repository_of_another_user_is_read(repository: Repository) -> None:
    """A container's checkout belongs to another user than root."""
    for path in (repository.folder, repository.folder / ".git"):
        os.chown(path, 12345, 12345)
    refused = subprocess.run(
        ["git", "log"], cwd=repository.folder, capture_output=True, text=True, timeout=60
    )
    assert "dubious ownership" in refused.stderr
    assert repository.run("main", "main") == 0


@pytest.mark.parametrize("folder", ["nothing", "plain"])
def test_a_folder_without_a_repository_is_told(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert diff.main(["HEAD", "--repository", str(tmp_path / folder)]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / folder) in error
    assert "fetch it" not in error


def test_a_file_that_cannot_be_written_is_told(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repository.run("main", "main", "--output", str(tmp_path / "none/diff.md")) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_change_of_a_base_is_shown_once_with_every_overlay_that_it_reaches(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.put("base/tenant.yaml", tenant("payments", airflow={"executor": "KubernetesExecutor"}))
    assert repository.run("main") == 0
    said = capsys.readouterr().out
    assert said.count("=== AirflowTenant payments: changed in production, staging") == 1
    assert "+    executor: KubernetesExecutor" in said
    assert said.startswith("1 changed in 2 overlays\n")


def test_two_revisions_are_compared_without_touching_the_working_tree(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.put("staging/kustomization.yaml", f"{KUSTOMIZATION}resources: [../base]\nnamePrefix: x-\n")
    second = repository.commit()
    repository.put("base/tenant.yaml", tenant("uncommitted"))
    assert repository.run(repository.first, second) == 0
    said = capsys.readouterr().out
    assert "AirflowTenant x-payments: added in staging" in said
    assert "uncommitted" not in said
    assert repository.git("status", "--porcelain") == "M manifests/base/tenant.yaml"
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_the_exit_code_tells_that_something_changes_when_asked(repository: Repository) -> None:
    assert repository.run("main", "--exit-code") == 0
    repository.put("base/tenant.yaml", tenant("payments", suspend=True))
    assert repository.run("main", "--exit-code") == 1
    assert repository.run("main") == 0


def test_nothing_changes_is_said_in_words(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert repository.run("main", "main") == 0
    assert capsys.readouterr().out == "No object of any overlay changes.\n"


def test_an_unknown_revision_is_an_error_with_the_remedy(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repository.run("origin/nowhere") == 2
    assert "no revision 'origin/nowhere' here: fetch it" in capsys.readouterr().err


def test_an_overlay_that_breaks_is_an_error_and_not_a_removal(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.put("staging/kustomization.yaml", f"{KUSTOMIZATION}resources: [../nothing]\n")
    assert repository.run("main") == 2
    said = capsys.readouterr()
    assert "staging cannot be built" in said.err
    assert "staging cannot be built" in said.out
    assert "removed" not in said.out


def test_a_change_that_repairs_an_overlay_is_shown(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    good = (repository.folder / "manifests/staging/kustomization.yaml").read_text()
    repository.put("staging/kustomization.yaml", f"{KUSTOMIZATION}resources: [../nothing]\n")
    repository.commit()
    repository.put("staging/kustomization.yaml", good)
    assert repository.run("main") == 0
    said = capsys.readouterr().out
    assert "staging could not be built before" in said
    assert "AirflowTenant payments: added in staging" in said


def test_the_markdown_goes_into_a_file(repository: Repository, tmp_path: Path) -> None:
    repository.put("base/tenant.yaml", tenant("payments", policy="Delete"))
    file = tmp_path / "comment.md"
    assert repository.run("main", "--format", "markdown", "--output", str(file)) == 0
    said = file.read_text()
    assert said.index("> [!CAUTION]") < said.index("deletionPolicy changes from Retain to Delete")
    assert said.index("deletionPolicy changes") < said.index("<details>")
    assert "```diff\n" in said


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (tenant("payments"), "AirflowTenant payments is removed: the operator then follows"),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}, "Namespace n is removed"),
        (
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": "c"},
            },
            "CustomResourceDefinition c is removed",
        ),
    ],
)
def test_what_takes_data_with_it_is_called_out_when_it_is_removed(item: dict[str, Any], told: str) -> None:
    [warning] = compared([item], []).warnings
    assert warning.startswith(told)
    assert warning.endswith("(staging)")
    assert compared([], [item]).warnings == ()


def test_a_changed_deletion_policy_is_called_out() -> None:
    [warning] = compared([tenant("a")], [tenant("a", policy="Delete")]).warnings
    assert warning == "AirflowTenant a: deletionPolicy changes from Retain to Delete (staging)"


@pytest.mark.parametrize("annotation", GUARDED)
def test_a_lost_protection_from_pruning_is_called_out(annotation: str) -> None:
    after = tenant("a")
    del after["metadata"]["annotations"][annotation]
    [warning] = compared([tenant("a")], [after]).warnings
    assert warning.startswith("AirflowTenant a loses its protection from being pruned: ")


def test_an_ordinary_change_warns_of_nothing() -> None:
    found = compared([tenant("a")], [tenant("a", suspend=True)])
    assert found.warnings == ()
    assert [change.verb for change in found.changes] == ["changed"]


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_values_of_secrets_are_never_shown_and_their_change_is(field: str) -> None:
    def secret(value: str) -> dict[str, Any]:
        metadata = {
            "name": "s",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": value},
        }
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            field: {"password": value, "user": "ann"},
        }

    for before, after in (
        ([secret("geheim1")], [secret("geheim2")]),
        ([secret("geheim1")], []),
        ([], [secret("geheim2")]),
    ):
        [change] = compared(before, after).changes
        assert "geheim" not in change.diff
        assert "ann" not in change.diff.replace("annotations", "")
        assert "password" in change.diff


def test_a_generated_config_map_changes_instead_of_going_and_coming() -> None:
    def config(name: str, value: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": value}}

    [change] = compared([config("c-kf6cf4926k", "1\n2\n")], [config("c-m5mth275bc", "1\n3\n")]).changes
    assert (str(change.key), change.verb) == ("ConfigMap c", "changed")
    assert "-    2\n" in change.diff


def test_a_comment_never_exceeds_what_github_takes() -> None:
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}"}, "data": {"a": "x" * 900}}
        for i in range(200)
    ]
    said = report.markdown(compared([], items), {}, {})
    assert len(said) <= report.LIMIT
    assert "The rest is left out" in said
    assert said.count("<details>") == said.count("</details>")


def test_what_manifests_say_does_not_break_out_of_the_comment() -> None:
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "<img src=x>"},
        "data": {"a": "````\n</details> @everybody\n"},
    }
    said = report.markdown(compared([], [item]), {}, {"over`lay\n## x": "bad\n# headline"})
    before_the_fence, _, fenced = said.partition("`````diff\n")
    assert "<img" not in before_the_fence
    assert "```\n" in fenced.rpartition("`````\n")[0]
    assert "\n# headline" not in said


def test_the_projects_own_overlays_are_found_and_built() -> None:
    built = overlays.build(ROOT / "manifests")
    assert built.failures == {}
    assert {"tenants/staging", "tenants/production", "operator/production"} <= set(built.objects)


def test_help_says_how_to_call_it_and_what_the_exit_codes_mean() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.manifests.diff", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    for word in ("BASE", "--format", "--output", "exit codes", "examples"):
        assert word in done.stdout
