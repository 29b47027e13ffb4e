"""Write the indexes of the DAG library, docs/dags.md and dags/airflow_usecases.md, from the DAGs themselves.

    .venv-airflow/bin/python -m tools.dag_index

What a DAG shows comes from its doc_md, features and services from its code and its parsed tasks; the list of
needs is docs/dags-by-need.yaml, written by hand.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.dag_names import used_by_tasks, used_in_code

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "dags"
NEEDS = ROOT / "docs" / "dags-by-need.yaml"
SAMPLES = ROOT / "manifests" / "tenants" / "base"

NONE = "-"
COPYING = """\
## Copy one

1. The DAG file, and what lies beside it (`configs/`, YAML), into your bundle.
2. The folder [`airflow_usecases`](../dags/airflow_usecases) to the **root** of your bundle: the logic of the
   DAGs is in it. Later keep only what you use, under a package name of your own: two bundles with
   a package of the same name shadow each other. `tenant_airflow_lib` is in the Airflow image.
3. The connections, variables and pools that it names into your `AirflowTenant`; the
   [sample tenants](../manifests/tenants/base) declare each of them once.
4. What the last section of its `doc_md` says.

Try it without a tenant, in an environment with Airflow and the package (`.venv-airflow`, after `make setup`):

```console
export AIRFLOW_HOME=/tmp/try AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__DAGS_FOLDER=$PWD/my-bundle
export AIRFLOW_CONN_CRM_API='{"conn_type": "http", "host": "http://127.0.0.1", "port": 8000}'
.venv-airflow/bin/airflow db migrate
.venv-airflow/bin/airflow dags reserialize
.venv-airflow/bin/airflow dags test de_ingest_api --conf '{"data_folder": "/tmp/try/data"}'
```

A connection is an environment variable there (`AIRFLOW_CONN_<ID>`), a variable too (`AIRFLOW_VAR_<KEY>`). A
task that fails waits for its retries, in real time: end it when the first try says what is missing.
"""

#: phase -> (topic, focus)
PHASES = {
    1: ("Fundamentals", "the structure of a DAG, parallel tasks"),
    2: ("Scheduling and TaskFlow", "cron, presets, catch-up, `@dag` and `@task`"),
    3: ("Operators and sensors", "Bash, Python, waiting for files, conditions and times"),
    4: ("Control flow and data passing", "XCom, branches, trigger rules, dynamic mapping"),
    5: ("Configuration and resources", "connections, variables, pools, task groups, callbacks"),
    6: ("ML integration", "MLflow tracking and registry, a pipeline that decides"),
    7: ("Error handling and resilience", "retries, permanent and transient errors, circuit breaker"),
    8: ("Notifications", "mail, Slack, routing by priority and team"),
    9: ("External systems", "databases, HTTP APIs, clouds, message queues"),
    10: ("Data quality", "expectations, schemas and their evolution, profiles and drift"),
    11: ("Testing and CI/CD", "testable DAGs, a delivery pipeline with a gate"),
    12: ("Observability", "metrics, structured logs and traces, health checks"),
    13: ("Orchestration of several DAGs", "waiting for, starting and depending on other DAGs"),
    14: ("Data-aware scheduling", "assets: producers, consumers, patterns"),
    15: ("DAG factory", "DAGs out of YAML and Jinja, one config for many tenants"),
    16: ("Security and secrets", "secrets backends, roles, audit"),
    17: ("Lineage and governance", "OpenLineage, data catalogues, retention, contracts"),
    18: ("MLOps", "feature store, experiments, automatic retraining"),
}
LEARNING_PATH = (
    ("Beginner", range(1, 5)),
    ("Intermediate", range(5, 7)),
    ("Advanced", range(7, 10)),
    ("Enterprise foundation", range(10, 13)),
    ("Orchestration", range(13, 16)),
    ("Security and governance", range(16, 18)),
    ("MLOps", range(18, 19)),
)
TEAMS = {
    "team_ml": "The ML team",
    "team_data_engineering": "The data-engineering team",
    "team_analytics": "The analytics team",
    "platform": "The platform team",
}
#: feature -> what its use looks like in the code
FEATURES = {
    "dynamic mapping": r"\.expand(_kwargs)?\(",
    "branching": r"@task\.branch|BranchPythonOperator|HITLBranchOperator",
    "short circuit": r"@task\.short_circuit|ShortCircuitOperator",
    "trigger rules": r"trigger_rule=",
    "task groups": r"@task_group|TaskGroup\(",
    "sensor": r"Sensor\(|@task\.sensor",
    "deferrable": r"deferrable=True",
    "assets": r"\bAsset(Alias|All|Any|OrTimeSchedule|Watcher)?\(|@asset\b",
    "deadline alert": r"DeadlineAlert\(",
    "retry policy": r"RetryPolicy\(|RetryRule\(",
    "pool": r"\bpool=",
    "params": r"\bParam\(|params=",
    "setup and teardown": r"\bas_(setup|teardown)\b|@setup|@teardown",
    "callbacks": r"on_(failure|success|retry|skipped|execute)_callback",
    "human in the loop": r"ApprovalOperator|HITL\w*Operator",
    "starts another DAG": r"TriggerDagRunOperator",
    "object storage": r"ObjectStoragePath",
    "DAG factory": r"tenant_airflow_lib\.factory",
    "metrics": r"observability\.stats|\bstats\.",
}
#: connection type -> what it is, for people
SERVICES = {
    "aws": "AWS",
    "emr": "EMR",
    "git": "Git",
    "fs": "files",
    "http": "HTTP API",
    "kafka": "Kafka",
    "postgres": "PostgreSQL",
    "redshift": "Redshift",
    "sftp": "SFTP",
    "slack": "Slack",
    "slackwebhook": "Slack",
    "smtp": "mail",
    "ssh": "SSH",
    "vault": "Vault",
    "wasb": "Azure Blob Storage",
    "google_cloud_platform": "Google Cloud",
}


@dataclass(frozen=True)
class Entry:
    """One DAG of the index."""

    dag_id: str
    file: Path
    title: str
    shows: str
    features: tuple[str, ...]
    services: tuple[str, ...]

    @property
    def phase(self) -> int | None:
        """The number of its phase; None for a team's DAG."""
        match = re.match(r"phase(\d+)$", self.file.parts[0])
        return int(match[1]) if match else None


def entries() -> list[Entry]:
    """Every DAG but helpers (`<dag_id>__child...`) and what the factory makes, by phase and name.

    Raises RuntimeError when a file does not load.
    """
    with tempfile.TemporaryDirectory() as home, warnings.catch_warnings():
        # neither the user's Airflow nor its chatter has a part in this
        os.environ.setdefault("AIRFLOW_HOME", home)
        os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "CRITICAL")
        warnings.simplefilter("ignore")
        from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - the rest works without Airflow

        sys.path.insert(0, str(LIBRARY))
        bag = DagBag(str(LIBRARY), bundle_path=LIBRARY, bundle_name="library", load_op_links=False)
    if bag.import_errors:
        raise RuntimeError(f"the library does not load: {bag.import_errors}")
    kinds = connection_types()
    found = [entry(dag, kinds) for dag in bag.dags.values() if "__" not in dag.dag_id]
    # phase 15 makes DAGs of teams, as samples: they are no DAGs of the library
    found = [item for item in found if item.phase is None or item.dag_id.startswith("phase")]
    return sorted(found, key=lambda e: (e.phase is None, e.phase or 0, str(e.file), e.dag_id))


def entry(dag: Any, kinds: dict[str, str]) -> Entry:
    """What the index says of a DAG."""
    path = Path(dag.fileloc)
    code = path.read_text()
    named = {*used_in_code(path), *used_by_tasks(dag.tasks)}
    for module in re.findall(r"^from airflow_usecases(?:\.(\w+))? import ([\w, ]+)", code, re.MULTILINE):
        for name in [module[0]] if module[0] else re.split(r",\s*", module[1]):
            named |= set(used_in_code(LIBRARY / "airflow_usecases" / f"{name}.py"))
    names = {name for kind, name in named if kind == "connections"}
    services = {SERVICES[kinds[name]] for name in names if name in kinds and kinds[name] != "generic"}
    special = {"mlflow_default": "MLflow", "kubeflow_default": "Kubeflow"}
    services = (services - {"HTTP API"} if names <= special.keys() else services) | {
        special[name] for name in names if name in special
    }
    title, shows = summary(dag.doc_md or "")
    return Entry(
        dag_id=dag.dag_id,
        file=path.relative_to(LIBRARY),
        title=title,
        shows=shows,
        features=tuple(name for name, pattern in FEATURES.items() if re.search(pattern, code)),
        services=tuple(sorted(services)),
    )


def summary(doc: str) -> tuple[str, str]:
    """Title and first paragraph of a doc_md, each on one line."""
    lines = doc.strip().splitlines()
    title = lines[0].lstrip("# ").strip() if lines else ""
    paragraphs = [" ".join(part.split()) for part in "\n".join(lines[1:]).strip().split("\n\n")]
    return title, next((part for part in paragraphs if part and not part.startswith(("**", "|", "#"))), "")


def connection_types() -> dict[str, str]:
    """Connection id -> type, out of the sample tenants."""
    kinds = {}
    for path in sorted(SAMPLES.glob("*/tenant.yaml")):
        for connection in yaml.safe_load(path.read_text()).get("spec", {}).get("connections", []):
            kinds[connection["id"]] = connection["type"]
    return kinds


def needs(known: set[str]) -> dict[str, list[tuple[str, list[str]]]]:
    """Heading -> (need, dag_ids). Raises ValueError for an unknown DAG and for one that no need leads to."""
    listed: dict[str, dict[str, list[str]]] = yaml.safe_load(NEEDS.read_text())
    named = {dag_id for group in listed.values() for ids in group.values() for dag_id in ids}
    if unknown := sorted(named - known):
        raise ValueError(f"{NEEDS.name} names DAGs that do not exist: {', '.join(unknown)}")
    if lost := sorted(known - named):
        raise ValueError(f"{NEEDS.name}: no need leads to {', '.join(lost)}")
    return {heading: list(group.items()) for heading, group in listed.items()}


def docs_page(found: list[Entry]) -> str:
    """docs/dags.md."""
    by_id = {entry.dag_id: entry for entry in found}

    def link(dag_id: str) -> str:
        return f"[`{dag_id}`](../dags/{by_id[dag_id].file})"

    lines = [
        "# The DAG library",
        "",
        "<!-- written by `make generate`: edit the DAGs' doc_md and dags-by-need.yaml -->",
        "",
        f"{len(found)} DAGs for Airflow 3.3, each with one thing to teach. They run as they are: in a tenant",
        "by the DAG source `image: {path: /opt/airflow/library}`, and in the tests. What they share is",
        "[`tenant_airflow_lib`](../dags/lib/README.md); DAGs out of YAML are described in",
        "[DAG factory](dag-factory.md), the rules that all of them keep in [dag-lint](dag-lint.md).",
        "",
        COPYING,
        "## Find by need",
    ]
    for heading, group in needs(set(by_id)).items():
        lines += ["", f"**{heading}**", "", "| I want to | look at |", "|---|---|"]
        lines += [f"| {need} | {', '.join(link(dag_id) for dag_id in ids)} |" for need, ids in group]
    lines += ["", "## Learning path", "", *learning_path("")]
    for phase, (topic, focus) in PHASES.items():
        lines += ["", f"## Phase {phase}: {topic}", "", f"{focus[0].upper()}{focus[1:]}.", ""]
        lines += table([entry for entry in found if entry.phase == phase], "../dags/")
    for folder, title in TEAMS.items():
        lines += ["", f"## {title}", ""]
        lines += table([entry for entry in found if entry.file.parts[0] == folder], "../dags/")
    return "\n".join(lines) + "\n"


def table(rows: list[Entry], root: str) -> Iterator[str]:
    """A table with one line for each DAG."""
    yield "| DAG | what it shows | features | services |"
    yield "|---|---|---|---|"
    for row in rows:
        shows = f"**{row.title}.** {row.shows}".replace("|", "\\|")
        yield (
            f"| [`{row.dag_id}`]({root}{row.file}) | {shows} | {', '.join(row.features) or NONE} "
            f"| {', '.join(row.services) or NONE} |"
        )


def learning_path(root: str) -> Iterator[str]:
    """The seven steps."""
    for number, (step, phases) in enumerate(LEARNING_PATH, 1):
        topics = ", ".join(
            f"[{phase} {PHASES[phase][0]}]({root}#phase-{phase}-{anchor(PHASES[phase][0])})"
            for phase in phases
        )
        yield f"{number}. **{step}**: {topics}"


def anchor(topic: str) -> str:
    """A heading's anchor, as the forges make it."""
    return re.sub(r"[^a-z0-9 -]", "", topic.lower()).replace(" ", "-")


def overview_page(found: list[Entry]) -> str:
    """dags/airflow_usecases.md."""
    lines = [
        "# Airflow use cases",
        "",
        "<!-- written by `make generate` -->",
        "",
        f"{sum(map(in_phases, found))} DAGs in {len(PHASES)} phases, from the first `>>` to automatic",
        "retraining, and the DAGs of four teams. With descriptions and by need:",
        "[the DAG library](../docs/dags.md).",
        "",
        "| phase | topic | DAGs | focus |",
        "|---|---|---|---|",
    ]
    for phase, (topic, focus) in PHASES.items():
        count = sum(entry.phase == phase for entry in found)
        lines.append(f"| {phase} | [{topic}](phase{phase}) | {count} | {focus} |")
    lines += ["", "## Learning path", "", *learning_path("../docs/dags.md")]
    lines += ["", "## Teams", "", "| folder | DAGs |", "|---|---|"]
    for folder in TEAMS:
        ids = [f"[`{entry.dag_id}`]({entry.file})" for entry in found if entry.file.parts[0] == folder]
        lines.append(f"| [{folder}]({folder}) | {', '.join(ids)} |")
    return "\n".join(lines) + "\n"


def in_phases(entry: Entry) -> bool:
    """Whether a DAG is one of the phases'."""
    return entry.phase is not None


def main() -> None:
    """Write both pages."""
    found = entries()
    (ROOT / "docs" / "dags.md").write_text(docs_page(found))
    (LIBRARY / "airflow_usecases.md").write_text(overview_page(found))
    print(f"dag_index: {len(found)} DAGs")


if __name__ == "__main__":
    main()
