"""What a new chart does to tenants that run: a changed pod template restarts that pod in every tenant."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml
from tests.charts.configurations import FULL, KUBERNETES, LOCAL
from tests.charts.support import ROOT, Values, merged, render_chart

RECORD = Path(__file__).with_name("pod_digests.yaml")
RENDERED: dict[str, Values] = {"full": FULL, "kubernetes": KUBERNETES, "local": LOCAL}
#: What differs with every release of Airflow, and is the tenant's own choice.
CHOSEN: Values = {"images": {"airflow": {"repository": "registry.example.com/airflow", "tag": "1.0.0"}}}
HELP = f"""\
The new chart rolls these pods of every tenant at the operator's upgrade. With the LocalExecutor, running
tasks end with the scheduler; where the migration's pod changes, it runs again. If that is meant: say under
"Upgrading" in CHANGELOG.md which pods roll and why, and write the new digests to
{RECORD.relative_to(ROOT)}."""


def digests() -> dict[str, dict[str, str]]:
    """A digest of each pod template, by configuration and component."""
    return {
        name: {
            component: hashlib.sha256(
                json.dumps([pod.metadata, pod.spec], sort_keys=True).encode()
            ).hexdigest()[:16]
            for component, pod in sorted(render_chart(merged(values, CHOSEN)).pods.items())
        }
        for name, values in RENDERED.items()
    }


def test_a_change_that_rolls_every_tenant_is_made_knowingly() -> None:
    recorded = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    made = digests()
    changed = {
        f"{name}: {component}"
        for name, pods in {**made, **recorded}.items()
        for component in pods
        if made.get(name, {}).get(component) != recorded.get(name, {}).get(component)
    }
    assert not changed, f"{sorted(changed)}\n{HELP}\n\n{yaml.safe_dump(made)}"


def test_the_record_holds_every_kind_of_pod_with_its_git_sync() -> None:
    pods = render_chart(merged(LOCAL, CHOSEN)).pods
    components = {"api-server", "scheduler", "dag-processor", "triggerer", "postgresql", "migrate-database"}
    recorded = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    assert components <= set(pods) == set(recorded["local"])
    assert "worker" in recorded["kubernetes"]
    arguments = [a for c in pods["scheduler"].containers for a in c.get("args") or []]
    assert "--sync-on-signal=SIGHUP" in arguments
