"""The generated files: up to date, the same every time, and what Grafana's three ways in want."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenant_dashboards import console, packaging
from tenant_dashboards.alerts.render import RUNBOOK_URL
from tenant_dashboards.boards import boards
from tenant_dashboards.boards.parts import TEAM_SLUGS, Flavour

SLUGS = ["overview", "team", "slo", "capacity", "cost", "operator"]
OPERATOR_CHART = "charts/tenant-operator/files/dashboards"
TENANT_CHART = "charts/airflow-tenant/files/dashboards"
GENERATED = packaging.GENERATED
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def files() -> packaging.Files:
    return packaging.generate()


def documents(files: packaging.Files, folder: str) -> dict[str, Any]:
    found = {path: yaml.safe_load(text) for path, text in files.items() if path.startswith(folder + "/")}
    assert found
    return found


@pytest.mark.covers("G-12")
def test_the_committed_files_are_what_the_boards_say(files: packaging.Files) -> None:
    assert packaging.differences(packaging.ROOT, files) == []


def test_every_run_writes_the_same_bytes(tmp_path: Path) -> None:
    """Sets and hashes differ from process to process; the files may not."""
    written = []
    for seed in ("1", "2"):
        root = tmp_path / seed
        subprocess.run(
            [sys.executable, "-W", "error", "-m", "tenant_dashboards", "--root", str(root)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            timeout=60,
        )
        paths = [path for path in root.rglob("*") if path.is_file()]
        written.append({path.relative_to(root): path.read_bytes() for path in paths})
    assert written[0] == written[1]
    assert len(written[0]) > 40


def test_check_says_what_differs_is_missing_or_left_over_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(tmp_path)]
    assert console.main(root) == 0
    assert console.main([*root, "--check"]) == 0
    changed = tmp_path / GENERATED / "platform/cost.json"
    changed.write_text(changed.read_text() + " ")
    missing = tmp_path / OPERATOR_CHART / "slo.json"
    missing.unlink()
    left_over = tmp_path / GENERATED / "rules/old.yaml"
    left_over.write_text("groups: []")
    capsys.readouterr()
    assert console.main([*root, "--check"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert f"differs: {GENERATED}/platform/cost.json" in said
    assert f"missing: {OPERATOR_CHART}/slo.json" in said
    assert f"not generated: {GENERATED}/rules/old.yaml" in said
    assert said[-1].endswith("3 not up to date")
    assert not missing.exists()
    assert console.main(root) == 0
    assert not left_over.exists()
    assert console.main([*root, "--check"]) == 0


@pytest.mark.covers("G-12")
def test_the_sidecar_finds_every_board_in_its_folder(files: packaging.Files) -> None:
    maps = documents(files, f"{GENERATED}/configmaps")
    names = []
    for path, found in maps.items():
        assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")
        assert found["metadata"]["labels"] == {"grafana_dashboard": "1"}
        assert found["metadata"]["annotations"]["grafana_folder"] == "Airflow"
        assert found["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "ServerSideApply=true"
        assert len(files[path].encode()) < MIB
        [(name, text)] = found["data"].items()
        assert json.loads(text) == json.loads(files[f"{GENERATED}/platform/{Path(path).stem}.json"])
        names.append(name)
    assert sorted(names) == sorted(f"airflow-dashboard-{slug}.json" for slug in SLUGS)


def test_the_grafana_operator_gets_a_folder_and_a_dashboard_for_each_config_map(
    files: packaging.Files,
) -> None:
    found = documents(files, f"{GENERATED}/grafana-operator")
    maps = {m["metadata"]["name"]: m for m in documents(files, f"{GENERATED}/configmaps").values()}
    folder = found.pop(f"{GENERATED}/grafana-operator/folder.yaml")
    assert (folder["kind"], folder["spec"]["title"]) == ("GrafanaFolder", "Airflow")
    assert len(found) == len(SLUGS)
    for manifest in found.values():
        assert manifest["apiVersion"] == "grafana.integreatly.org/v1beta1"
        assert manifest["kind"] == "GrafanaDashboard"
        spec = manifest["spec"]
        assert spec["folderRef"] == folder["metadata"]["name"]
        assert spec["instanceSelector"] == {"matchLabels": {"dashboards": "grafana"}}
        board = json.loads(maps[spec["configMapRef"]["name"]]["data"][spec["configMapRef"]["key"]])
        assert spec["uid"] == board["uid"]


def test_the_file_provisioning_keeps_the_boards_as_they_are(files: packaging.Files) -> None:
    [provider] = yaml.safe_load(files[f"{GENERATED}/provisioning/dashboards.yaml"])["providers"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True
    assert provider["options"]["path"].startswith("/var/lib/grafana/")


@pytest.mark.parametrize(
    ("home", "slugs"), [(OPERATOR_CHART, SLUGS), (TENANT_CHART, list(TEAM_SLUGS))], ids=["operator", "tenant"]
)
def test_the_charts_have_compact_copies_with_tokens(
    home: str, slugs: list[str], files: packaging.Files
) -> None:
    copies = {Path(path).stem: text for path, text in files.items() if path.startswith(home + "/")}
    assert sorted(copies) == sorted(slugs)
    for slug, text in copies.items():
        model = json.loads(text)
        assert text == json.dumps(model, separators=(",", ":"), ensure_ascii=False) + "\n"
        assert "__RUNBOOK_URL__" in text
        team = home == TENANT_CHART
        assert model["uid"] == (f"__UID_{slug.upper()}__" if team else f"airflow-{slug}")
        assert ("__TENANT__" in text) is team


def test_plain_files_have_no_token_left_but_those_of_a_team(files: packaging.Files) -> None:
    for path, text in files.items():
        if path.startswith((f"{GENERATED}/platform/", f"{GENERATED}/configmaps/", f"{GENERATED}/rules/")):
            assert "__RUNBOOK_URL__" not in text
            assert "__UID_" not in text
    assert RUNBOOK_URL in files[f"{GENERATED}/platform/team.json"]


def test_the_runbook_has_one_placeholder_and_the_readme_says_how_to_replace_it(
    files: packaging.Files,
) -> None:
    operator, tenant = (
        yaml.safe_load((packaging.ROOT / "charts" / chart / "values.yaml").read_text(encoding="utf-8"))
        for chart in ("tenant-operator", "airflow-tenant")
    )
    assert {
        operator["alerts"]["runbookUrl"],
        operator["tenantDefaults"]["monitoring"]["runbookUrl"],
        tenant["monitoring"]["dashboards"]["runbookUrl"],
    } == {RUNBOOK_URL}
    links = {link for text in files.values() for link in re.findall(r"https://[^\s\"\\#]+/runbook\.md", text)}
    assert links == {RUNBOOK_URL}
    assert f"s#{RUNBOOK_URL}#" in (packaging.ROOT / "dashboards/README.md").read_text(encoding="utf-8")


def test_a_board_that_no_config_map_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "_CONFIG_MAP_LIMIT", 30_000)
    with pytest.raises(ValueError, match="a ConfigMap holds 1 MiB"):
        packaging.config_maps()


def test_a_tenant_s_boards_leave_room_in_its_release(files: packaging.Files) -> None:
    """A release is one Secret of at most 1 MiB, the rendered tenant at most 320 KiB with everything on."""
    sizes = [len(text.encode()) for path, text in files.items() if path.startswith(TENANT_CHART + "/")]
    assert sum(sizes) < 230 * 1024


def test_titles_are_unique_where_they_are_listed_together() -> None:
    for flavour in Flavour:
        titles = [board.title for board in boards(flavour)]
        assert len(set(titles)) == len(titles)
