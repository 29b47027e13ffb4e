"""`make new-tenant`: a tenant begins as files that pass every check, and nobody's work is overwritten."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.kustomization import build
from tools.manifests import new_tenant, overlays, owners, validate
from tools.manifests.listing import ListingError, add_resource
from tools.manifests.tenant_files import (
    COPIES,
    ENVIRONMENTS,
    SAMPLE,
    SINGLE_FILES,
    TEMPLATES,
    Request,
    render,
    without_name,
    write_copies,
)

from tenant_operator.handlers.manifests import read

ROOT = Path(__file__).resolve().parents[2]
REPO = "https://git.example.com/payments/airflow-dags.git"
LISTED = ("tenants/base", "tenants/staging", "tenants/production", *SINGLE_FILES)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """A copy of the folders that a new tenant is written into."""
    for folder in LISTED:
        shutil.copytree(ROOT / "manifests" / folder, tmp_path / "manifests" / folder)
    return tmp_path / "manifests"


def run(manifests: Path, *arguments: str) -> int:
    return new_tenant.main([*arguments, "--manifests", str(manifests)])


def snapshot(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def tenant(folder: Path, name: str) -> dict[str, Any]:
    [found] = [
        item for item in build(folder) if item["kind"] == "AirflowTenant" and item["metadata"]["name"] == name
    ]
    return found


def test_one_command_writes_the_tenant_of_every_environment_and_lists_it_everywhere(manifests: Path) -> None:
    before = set(snapshot(manifests))
    assert run(manifests, "payments2", "--team", "payments", "--email", "payments@example.com") == 0
    assert set(snapshot(manifests)) - before == {
        *(f"tenants/base/payments2/{file}.yaml" for file in ("kustomization", "namespace", "tenant")),
        "tenants/base/payments2/external-secrets.yaml",
        *(f"tenants/staging/payments2/{file}.yaml" for file in ("kustomization", "tenant")),
        *(f"tenants/production/payments2/{file}.yaml" for file in ("kustomization", "tenant", "release")),
        "argocd/projects/teams/payments2.yaml",
        "flux/tenants/payments2.yaml",
    }
    for folder in LISTED:
        listed = yaml.safe_load((manifests / folder / "kustomization.yaml").read_text())["resources"]
        assert ("payments2" in listed) != ("payments2.yaml" in listed), folder
    for environment in ("staging", "production"):
        spec = tenant(manifests / "tenants" / environment, "payments2")["spec"]
        assert spec["owner"] == {
            "team": "payments",
            "email": "payments@example.com",
            "slack": "#payments",
        }
        assert (spec["suspend"], spec["deletionPolicy"]) == (False, "Retain")
    assert spec["dags"]["sources"][0]["gitSync"]["ref"] == "v1.0.0"
    assert not overlays.build(manifests).failures


@pytest.mark.parametrize("executor", ["LocalExecutor", "KubernetesExecutor"])
@pytest.mark.parametrize("more", [(), ("--slack", "#fraud", "--email", "fraud@example.com")])
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_what_is_written_is_valid_for_the_operator(
    manifests: Path, tmp_path: Path, executor: str, more: tuple[str, ...], environment: str
) -> None:
    assert run(manifests, "fraud", "--team", "risk_team", "--executor", executor, *more) == 0
    file = tmp_path / "built.yaml"
    file.write_text(yaml.safe_dump_all(build(manifests / "tenants" / environment / "fraud")))
    [parsed] = read([file])
    assert parsed.name == "fraud"
    assert parsed.spec.airflow.executor == executor
    assert parsed.spec.owner.slack == ("#fraud" if more else "#risk-team")
    written = yaml.safe_load((manifests / "tenants/base/fraud/tenant.yaml").read_text())["spec"]["airflow"]
    assert ("workers" in written) == (executor == "KubernetesExecutor")
    alerts = parsed.spec.monitoring.alerts.slack is not None
    assert alerts == (environment == "production")


@pytest.mark.covers("S000-24")
@pytest.mark.parametrize("executor", ["LocalExecutor", "KubernetesExecutor"])
def test_what_is_written_passes_the_check_that_a_pull_request_has_to_pass(
    manifests: Path, executor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make validate`: schemas, the operator's model, the platform's rules."""
    run(manifests, "fraud", "--team", "risk", "--executor", executor)  # as the README calls it
    folders = [str(manifests / "tenants" / environment / "fraud") for environment in ENVIRONMENTS]
    folders += [str(manifests / folder / "fraud.yaml") for folder in SINGLE_FILES]
    assert validate.main(folders) == 0, capsys.readouterr().out
    tenant_file = manifests / "tenants/base/fraud/tenant.yaml"
    tenant_file.write_text(
        tenant_file.read_text().replace("deletionPolicy: Retain", "deletionPolicy: Delete")
    )
    assert validate.main(folders) == 1
    assert "deletionPolicy" in capsys.readouterr().out


def test_every_secret_that_the_tenant_names_has_an_external_secret(manifests: Path) -> None:
    run(manifests, "fraud", "--team", "risk", "--slack", "#fraud")
    items = build(manifests / "tenants" / "production" / "fraud")
    named = {"git-credentials", "alerts"}
    assert all(f"name: {name}" in yaml.safe_dump(tenant_of(items)) for name in named)
    assert {item["spec"]["target"]["name"] for item in items if item["kind"] == "ExternalSecret"} == named


def tenant_of(items: list[dict[str, Any]]) -> dict[str, Any]:
    [found] = [item for item in items if item["kind"] == "AirflowTenant"]
    return found


def test_a_second_run_changes_nothing_and_says_so(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(manifests, "payments2", "--team", "payments")
    before = snapshot(manifests)
    capsys.readouterr()
    assert run(manifests, "payments2", "--team", "payments") == 0
    said = capsys.readouterr().out
    assert snapshot(manifests) == before
    assert "Nothing to do" in said
    assert ": written" not in said


def test_a_file_edited_by_hand_is_kept_and_what_is_missing_is_added(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(manifests, "payments2", "--team", "payments")
    mine = manifests / "tenants/base/payments2/tenant.yaml"
    mine.write_text(mine.read_text().replace("storage: 5Gi", "storage: 50Gi"))
    lost = manifests / "tenants/staging/payments2/tenant.yaml"
    text = lost.read_text()
    lost.unlink()
    capsys.readouterr()
    assert run(manifests, "payments2", "--team", "payments") == 0
    said = capsys.readouterr().out
    assert "storage: 50Gi" in mine.read_text()
    assert lost.read_text() == text
    assert f"{mine}: kept: it differs" in said
    assert f"{lost}: written" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Payments", "--team", "payments"), ["NAME 'Payments'", "must start with a letter", "payments2"]),
        (("2pay", "--team", "payments"), ["NAME '2pay'", "must start with a letter"]),
        (("pay-", "--team", "payments"), ["NAME 'pay-'", "end with a letter or digit"]),
        (("../x", "--team", "payments"), ["NAME '../x'"]),
        (("p" * 41, "--team", "payments"), ["41 characters", "at most 40", "shorter"]),
        (("x", "--team", "pay ments"), ["--team 'pay ments'", "letters, digits, - _ and .", "at most 63"]),
        *(((name, "--team", "t"), [f"NAME '{name}'", "no tenant's"]) for name in sorted(new_tenant.RESERVED)),
        (("x", "--team", "t", "--email", "nobody"), ["--email 'nobody'", "must be an e-mail address"]),
        (("x", "--team", "t", "--slack", "alerts"), ["--slack 'alerts'", "#payments"]),
        (("x", "--team", "t", "--repo", "dags"), ["--repo 'dags'", "must be a Git URL"]),
        (
            ("x", "--team", "t", "--repo", "https://u:p@git.example.com/x.git"),
            ["--repo", "must not hold credentials", "Secret"],
        ),
        (("x", "--team", "t", "--release=-v"), ["--release '-v'", "branch, a tag"]),
        (("x", "--team", "t", "--release", "main"), ["--release 'main'", "like v1.2.3", "full commit hash"]),
        (("payments", "--team", "other"), ["--team 'other'", "belongs to team 'payments'", "another NAME"]),
    ],
)
def test_wrong_arguments_name_the_option_and_the_remedy_and_write_nothing(
    manifests: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: list[str]
) -> None:
    before = snapshot(manifests)
    assert run(manifests, *arguments) == 2
    error = capsys.readouterr().err
    assert [word for word in told if word not in error] == []
    assert snapshot(manifests) == before


def test_a_team_that_is_no_label_is_one_fault(manifests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(manifests, "x", "--team", "Data Platform") == 2
    assert len(capsys.readouterr().err.splitlines()) == 2  # that nothing was written, and why


def test_a_name_that_is_a_folder_of_the_tenants_is_reserved() -> None:
    folders = {path.name for path in (ROOT / "manifests/tenants").iterdir() if path.is_dir()}
    assert folders <= new_tenant.RESERVED


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_that_is_no_manifests_is_refused_and_not_made(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / folder, "x", "--team", "t") == 2
    assert f"there is no {tmp_path / folder}/tenants/base/kustomization.yaml" in capsys.readouterr().err
    assert snapshot(tmp_path) == {}
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        ("tenants/base/x", b"", "is in the way of"),
        ("tenants/base/kustomization.yaml", b"\xff\xfe", "is not UTF-8"),
        ("tenants/staging/kustomization.yaml", b"resources: [a]\n", "one entry a line"),
        ("tenants/staging/kustomization.yaml", b"resources: [\n", "it is no YAML"),
        ("tenants/base/y/tenant.yaml", b"\xff\xfe", "cannot be read as a tenant"),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_written(
    manifests: Path, path: str, content: bytes, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (manifests / path).parent.mkdir(exist_ok=True)
    (manifests / path).write_bytes(content)
    before = {file: file.read_bytes() for file in manifests.rglob("*") if file.is_file()}
    assert run(manifests, "y" if "/y/" in path else "x", "--team", "t") == 2
    error = capsys.readouterr().err
    assert str(manifests / path) in error
    assert told in error
    assert {file: file.read_bytes() for file in manifests.rglob("*") if file.is_file()} == before


def test_the_line_ends_of_a_listing_stay(manifests: Path) -> None:
    file = manifests / "tenants/staging/kustomization.yaml"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert run(manifests, "x", "--team", "t") == 0
    assert b"- x\r\n" in file.read_bytes()
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")


def test_the_team_owns_its_staging_and_its_release_line_and_no_more(manifests: Path) -> None:
    file = manifests.parent / ".github/CODEOWNERS"
    file.parent.mkdir()
    shutil.copy(ROOT / ".github/CODEOWNERS", file)
    before = file.read_text().splitlines()
    assert run(manifests, "fraud", "--team", "Risk_team") == 0
    after = file.read_text().splitlines()
    added = [line for line in after if line not in before]
    assert added == [
        "/manifests/tenants/staging/fraud/ @your-org/risk-team",
        "/manifests/tenants/production/fraud/release.yaml @your-org/risk-team @your-org/airflow-platform",
    ]
    assert [line for line in after if line in before] == before
    for line in added:
        assert after[after.index(line) - 1].startswith(line.rpartition("fraud")[0])
    assert run(manifests, "fraud", "--team", "Risk_team") == 0
    assert file.read_text().splitlines() == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "* @o/platform\n",
            "* @o/platform\n/manifests/tenants/staging/x/ @o/t\n"
            "/manifests/tenants/production/x/release.yaml @o/t @o/platform\n",
        ),
        ("# nobody\n", "# nobody\n"),
        ("", ""),
        ("* @o/t\n", "* @o/t\n"),  # the platform's own tenant needs no line
    ],
)
def test_owners_are_told_where_it_is_known_who_owns_everything(before: str, after: str) -> None:
    assert owners.add(before, "x", "t") == after


def test_a_sample_that_is_gone_leaves_its_templates(tmp_path: Path, manifests: Path) -> None:
    templates = Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))
    before = snapshot(templates)
    assert write_copies(manifests, templates) == []
    assert snapshot(templates) == before
    shutil.rmtree(manifests / "tenants/staging" / SAMPLE)
    assert write_copies(manifests, templates) == ["staging/kustomization.yaml.tmpl"]
    assert snapshot(templates) == before


@pytest.mark.parametrize(("team", "aggregates"), [("ml", ["library"]), ("payments", ["demo"])])
def test_a_sample_team_is_removed_as_the_page_says(tmp_path: Path, team: str, aggregates: list[str]) -> None:
    """docs/onboarding.md, Remove a sample team."""
    page = (ROOT / "docs/onboarding.md").read_text()
    section = page.partition("## Remove a sample team")[2].partition("\n## ")[0]
    manifests = tmp_path / "manifests"
    for folder in ("tenants", *SINGLE_FILES):
        shutil.copytree(ROOT / "manifests" / folder, manifests / folder)
    for folder in LISTED:
        assert f"`manifests/{folder}`" in section
        shutil.rmtree(manifests / folder / team, ignore_errors=True)
        (manifests / folder / f"{team}.yaml").unlink(missing_ok=True)
        listing = manifests / folder / "kustomization.yaml"
        lines = listing.read_text().splitlines(keepends=True)
        kept = [line for line in lines if line.strip() not in {f"- {team}", f"- {team}.yaml"}]
        assert len(kept) == len(lines) - 1
        listing.write_text("".join(kept))
    for folder in aggregates:
        assert f"`manifests/tenants/{folder}`" in section
        shutil.rmtree(manifests / "tenants" / folder)
    for folder in [
        *LISTED,
        *(f"tenants/{path.name}" for path in (manifests / "tenants").iterdir() if path.is_dir()),
    ]:
        assert build(manifests / folder)


def test_all_faults_are_told_at_once(manifests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(manifests, "X" * 41, "--team", "t", "--email", "e", "--slack", "s") == 2
    error = capsys.readouterr().err
    assert [word for word in ("NAME", "--email", "--slack") if word not in error] == []


def test_the_tool_that_a_company_does_not_use_is_left_out(manifests: Path) -> None:
    shutil.rmtree(manifests / "flux")
    assert run(manifests, "payments2", "--team", "payments") == 0
    assert not (manifests / "flux").exists()
    assert (manifests / "argocd/projects/teams/payments2.yaml").is_file()


def test_the_last_words_are_the_next_steps(manifests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(manifests, "payments2", "--team", "payments", "--release", "v3.0.0")
    said = capsys.readouterr().out
    for step in (
        "git switch -c tenant-payments2",
        "make validate",
        "airflow/payments2/git-credentials",
        "airflow/payments2/alerts",
        "webhook of #payments",
        "pull request",
        "v3.0.0",
    ):
        assert step in said


@pytest.mark.parametrize(("template", "sample"), COPIES.items())
def test_a_template_is_the_sample_teams_file_but_for_the_name(template: str, sample: str) -> None:
    text = (ROOT / "manifests" / sample).read_text()
    assert (TEMPLATES / template).read_text() == without_name(text), "run make generate"
    [release] = re.findall(r"value: (v\d\S*)$", text, re.MULTILINE) or [""]
    request = Request(name=SAMPLE, team=SAMPLE, repo=REPO, release=release)
    assert render(TEMPLATES / template, request) == text


def test_the_templates_tenant_has_the_protection_of_the_sample_team() -> None:
    sample = yaml.safe_load((ROOT / "manifests/tenants/base/payments/tenant.yaml").read_text())
    request = Request(name="payments", team="payments", repo=REPO)
    made = yaml.safe_load(render(TEMPLATES / "base/tenant.yaml.tmpl", request))
    assert made["metadata"] == sample["metadata"]
    for field in ("suspend", "deletionPolicy", "sync", "limits", "quota", "namespace"):
        assert made["spec"][field] == sample["spec"][field], field


@pytest.mark.parametrize(
    ("before", "entry", "after"),
    [
        ("resources:\n  - a # first\n  - c\n", "b", "resources:\n  - a # first\n  - b\n  - c\n"),
        ("resources:\n- b\n", "a", "resources:\n- a\n- b\n"),
        ("resources:\n  - role\n  - a\n  - c\n", "d", "resources:\n  - role\n  - a\n  - c\n  - d\n"),
        ("resources:\n  - z\n  - c\n  - a\n", "b", "resources:\n  - z\n  - c\n  - a\n  - b\n"),
        ("resources:\n  - a\n# end\npatches: []\n", "b", "resources:\n  - a\n  - b\n# end\npatches: []\n"),
        ("resources:\n  - a", "b", "resources:\n  - a\n  - b\n"),
        ("resources:\n  - a\n", "a", "resources:\n  - a\n"),
    ],
)
def test_a_listing_gets_one_line_and_keeps_the_rest(before: str, entry: str, after: str) -> None:
    assert add_resource(before, entry) == after


@pytest.mark.parametrize("text", ["resources: []\n", "resources: [a]\n", "kind: X\n", "[", ""])
def test_a_listing_that_cannot_be_extended_is_refused_with_words(text: str) -> None:
    with pytest.raises(ListingError, match="first"):
        add_resource(text, "a")


def test_help_shows_every_option_and_how_it_is_called() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.manifests.new_tenant", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    for word in ("--team", "--executor", "--repo", "--email", "--slack", "exit codes", "make new-tenant"):
        assert word in done.stdout
