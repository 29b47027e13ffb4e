"""Write dashboards/generated/metrics.json: `python -m tenant_dashboards.registry [--check]`."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

from tenant_dashboards.registry import airflow, library, operator, third_party
from tenant_dashboards.registry.model import Registry

ROOT = Path(__file__).resolve().parents[4]
FILE = ROOT / "dashboards" / "generated" / "metrics.json"


def template() -> Path:
    """The definitions of the Airflow that `make setup` installs."""
    found = sorted((ROOT / ".venv-airflow").glob(f"lib/python3*/site-packages/{airflow.TEMPLATE}"))
    if not found:
        raise FileNotFoundError("there is no .venv-airflow: run 'make setup'")
    return found[-1]


def airflow_version(file: Path) -> str:
    """The version of the Airflow that a definition file belongs to."""
    packages = file.parents[len(airflow.TEMPLATE.parts) - 1]
    found = [
        d for d in importlib.metadata.distributions(path=[str(packages)]) if d.name == "apache-airflow-core"
    ]
    if not found:
        raise FileNotFoundError(f"there is no Airflow in {packages}")
    return found[0].version


def build(file: Path) -> tuple[Registry, dict[str, str]]:
    """The registry, and the versions that were read. What was known already keeps its `since`."""
    # not `Registry.read`: the file may still hold metrics of a source that is gone
    known = json.loads(FILE.read_text())["metrics"] if FILE.exists() else []
    since = {entry["name"]: entry.get("since", "") for entry in known}
    versions = {
        "airflow": airflow_version(file),
        "operator": importlib.metadata.version("airflow-tenant-operator"),
    }
    registry = Registry(
        [
            *airflow.metrics(file, since, versions["airflow"]),
            *library.metrics(since, versions["operator"]),
            *operator.metrics(since, versions["operator"]),
            *third_party.metrics(),
        ]
    )
    return registry, versions


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the registry of all metrics.")
    parser.add_argument(
        "--template", type=Path, help="a metrics_template.yaml; default: the pinned Airflow's"
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; 1 if the file is not up to date"
    )
    options = parser.parse_args()
    registry, versions = build(options.template or template())
    if not options.check:
        registry.write(FILE, versions)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / FILE.name
        registry.write(fresh, versions)
        if fresh.read_text() == FILE.read_text():
            return 0
    sys.stderr.write(f"{FILE.name} is not up to date: run 'make generate'\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
