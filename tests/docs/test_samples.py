"""Samples of the pages are what the operator and the linter take."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.built import ROOT

from tenant_operator.api.tenant import TenantSpec

PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def specs() -> list[Any]:
    """Every sample of a tenant or of a part of its spec, with its place."""
    found = []
    for page in PAGES:
        for number, block in enumerate(blocks(page, "yaml"), 1):
            for part in yaml.safe_load_all(block):
                whole = isinstance(part, dict) and part.get("kind") == "AirflowTenant"
                if isinstance(part, dict) and "spec" in part and (whole or "kind" not in part):
                    place = f"{page.relative_to(ROOT)}-{number}"
                    found.append(pytest.param(part["spec"], id=place))
    return found


@pytest.mark.parametrize("spec", specs())
def test_the_operator_takes_a_sample(spec: dict[str, Any]) -> None:
    needed: dict[str, Any] = {"owner": {"team": "payments"}}
    if "logging" in spec and "connections" not in spec:
        needed["connections"] = [{"id": "logs_s3", "type": "aws"}]
    TenantSpec.model_validate({**needed, **spec})


def test_there_are_samples_on_the_pages_that_people_copy_from() -> None:
    places = {param.id for param in specs()}
    for page in (
        "README.md",
        "docs/README.md",
        "docs/tenant-first-day.md",
        "docs/observability.md",
        "docs/logs.md",
    ):
        assert any(place.startswith(f"{page}-") for place in places), page


def test_the_first_dag_of_a_team_has_nothing_for_the_linter(tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "docs" / "tenant-first-day.md", "python")
    (tmp_path / "hello.py").write_text(block)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("dag-lint")), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
