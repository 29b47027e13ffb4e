"""Record what a platform with two busy tenants looks like in Prometheus, for a quarter of an hour.

    python -m tests.dashboards.recording.record

Two Airflows (scheduler, LocalExecutor, triggerer, DAG processor, API server) on PostgreSQL, the chart's
statsd_exporter, git-sync, Redis, the exporters of Debian, the operator on a real API server with three
tenants, and the Prometheus that scrapes them. Needs .venv-airflow, PostgreSQL, Redis and their exporters.
Writes series.om.gz, recording.json, metadata.json and rules/tenants.yaml beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from tests.dashboards.recording import cluster, programs
from tests.dashboards.recording.airflows import TenantAirflow
from tests.dashboards.recording.programs import GitRepository, Postgres, Programs
from tests.dashboards.recording.scenario import Story, generated_rules
from tests.dashboards.recording.scraping import STEP, Scraper, Target

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
LIBRARY = (
    "phase1/01_hello_airflow.py", "phase4/04_dynamic_tasks.py", "phase5/02_pools_priority.py",
    "phase5/03_task_groups.py", "phase5/04_callbacks.py", "phase12/01_metrics_monitoring.py",
)  # fmt: skip
POOLS = {"payments": {"warehouse_writes": 2, "bank_connections": 3}, "analytics": {"reporting": 2}}
#: git-sync's port is fixed, so each pod needs an address of its own, and no other recording may have it.
_NETWORK = f"127.{random.randrange(1, 255)}.{random.randrange(255)}"  # noqa: S311 - an address
PODS = {"payments": f"{_NETWORK}.11", "analytics": f"{_NETWORK}.12"}
PARALLELISM = {"payments": 6, "analytics": 4}


def slo(name: str, metric: str, objective: str, **more: str) -> dict[str, Any]:
    """An objective of a spec, over 30 days unless told."""
    return {"name": name, "metric": metric, "objective": objective, "window": "30d", **more}


#: Budgets of all sorts: whole (exchange rates never fail), partly used, and gone (the scheduler is away).
SLOS: dict[str, list[dict[str, Any]]] = {
    "payments": [
        slo("settlement", "dagRunSuccess", "99", dag="settlement"),
        slo("rates", "dagRunSuccess", "99", dag="exchange_rates"),
        slo("tasks", "taskSuccess", "85"),
        slo("in-time", "dagRunDuration", "90", threshold="2m"),
        slo("punctual", "scheduleDelay", "99", threshold="30s"),
        slo("deadlines", "deadlines", "95"),
    ],
    "analytics": [slo("runs", "dagRunSuccess", "95", window="7d")],
}


def spec(tenant: str) -> dict[str, Any]:
    """The AirflowTenant of a recorded team."""
    source = {"repo": f"https://git.example.com/{tenant}/dags.git", "ref": "main", "period": "30s"}
    made: dict[str, Any] = {
        "owner": {"team": tenant, "email": f"{tenant}@example.com"},
        "suspend": False,
        "deletionPolicy": "Delete",
        "airflow": {"executor": "LocalExecutor" if tenant == "payments" else "KubernetesExecutor"},
        "dags": {"sources": [{"name": "main", "gitSync": source}]},
        "pools": [{"name": name, "slots": slots} for name, slots in POOLS.get(tenant, {}).items()],
        "connections": [{"id": f"{tenant}_warehouse", "type": "postgres", "host": "warehouse.example.com"}],
        "roles": [
            {"name": f"{tenant}-on-call", "permissions": [{"resource": "DAGs", "actions": ["can_read"]}]}
        ],
        "quota": {"hard": {"requests.cpu": "8", "requests.memory": "16Gi", "pods": "40"}},
        "sync": {"interval": "20s"},
    }
    made["monitoring"] = {
        "enabled": True,
        "slo": SLOS.get(tenant, []),
        "dagDurations": [{"dag": "settlement", "limit": "20s"}] if tenant == "payments" else [],
    }
    return made


def repositories(everything: Programs) -> dict[str, GitRepository]:
    """What the teams have in Git: DAGs of this folder, and for payments some of the library."""
    made = {}
    for tenant in PODS:
        repository = GitRepository(everything, tenant)
        for file in (HERE / "dags" / tenant).glob("*.py"):
            shutil.copy(file, repository.work)
        # every minute instead of every five: a recording is short
        canary = (ROOT / "dags" / "platform" / "canary" / "canary.py").read_text()
        (repository.work / "canary.py").write_text(canary.replace('"*/5 * * * *"', '"* * * * *"'))
        if tenant == "payments":
            for name in LIBRARY:
                shutil.copy(ROOT / "dags" / name, repository.work / name.replace("/", "_"))
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(
                ROOT / "dags" / "airflow_usecases", repository.work / "airflow_usecases", ignore=ignored
            )
            (repository.work / ".airflowignore").write_text("airflow_usecases\nrecording_callbacks.py\n")
        repository.push("DAGs")
        made[tenant] = repository
    return made


def target(tenant: str, component: str, address: str, number: int, container: str = "metrics") -> Target:
    """A page of a pod with the names that the chart gives."""
    stateful = component in ("postgresql", "redis")
    suffix = "0" if stateful else f"7d9f8b6c5-{'x2k4q' if tenant == 'payments' else 'm8v7z'}"
    host = 21 if tenant == "payments" else 22
    port = (
        address.rpartition(":")[2]
        if container.startswith("git")
        else {"statsd": "9102"}.get(component, "9187")
    )
    return Target(
        address,
        tenant,
        component,
        container,
        f"{tenant}-{component}-{suffix}",
        f"10.244.{host}.{number}:{port}",
    )


def lineage(folder: Path) -> dict[str, str]:
    """OpenLineage events of every run, to a file."""
    transport = {"type": "file", "log_file_path": str(folder / "openlineage.jsonl"), "append": True}
    return {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "payments",
    }


def record(folder: Path, minutes: float) -> None:
    """Everything, in `folder`; the results beside this file."""
    with contextlib.ExitStack() as stack:
        everything = Programs(folder)
        stack.callback(everything.stop)
        repos = repositories(everything)
        targets: list[Target] = []
        airflows: dict[str, TenantAirflow] = {}
        for tenant, repository in repos.items():
            postgres = Postgres(everything, tenant)
            git = repository.sync(PODS[tenant])
            more = lineage(folder) if tenant == "payments" else {}
            airflow = TenantAirflow(
                everything, tenant, repository, postgres, parallelism=PARALLELISM[tenant], more=more
            )
            stack.callback(airflow.stop)
            airflow.prepare()
            airflows[tenant] = airflow
            targets += [
                target(tenant, "statsd", f"127.0.0.1:{airflow.statsd}", 7, "statsd"),
                target(tenant, "dag-processor", git, 8, "git-sync-main"),
                target(tenant, "postgresql", f"127.0.0.1:{postgres.exporter(everything, tenant)}", 9),
            ]
            say(f"{tenant}: the database is migrated")
        redis, redis_page = programs.redis(everything, "payments")
        targets.append(target("payments", "redis", f"127.0.0.1:{redis_page}", 11))
        airflows["payments"].start(dags=14)
        say("payments runs")
        airflows["analytics"].start(dags=4)
        say("analytics runs")
        ports = {name: airflow.port for name, airflow in airflows.items()}
        platform = stack.enter_context(cluster.operator(folder / "cluster", ports, PODS))
        platform.kubelet.break_component("airflow-ml", "scheduler", {"phase": "Pending"})
        tenants = {
            name: cluster.create(platform, name, spec(name)) for name in ("payments", "analytics", "ml")
        }
        pod = "airflow-tenant-operator-5c7d8f9b4-q6w2e"
        targets.append(Target(f"127.0.0.1:{platform.operator.port}", pod=pod, instance="10.244.1.5:8080"))
        tenants["payments"].wait("Ready", seconds=180)
        say("the operator has its tenants")
        scraper = Scraper(everything, targets, generated_rules(ROOT))
        say(f"recording: {scraper.url}")
        story = Story(airflows, repos, tenants, platform, redis, airflows["payments"].postgres)
        story.run(minutes * 60)
        keep(scraper, story)


def keep(scraper: Scraper, story: Story) -> None:
    """Write the results."""
    rules = cluster.tenant_rules(story.stack)
    (HERE / "rules").mkdir(exist_ok=True)
    (HERE / "rules" / "tenants.yaml").write_text(yaml.safe_dump({"groups": rules}, sort_keys=False))
    (HERE / "metadata.json").write_text(json.dumps(scraper.metadata(), indent=1) + "\n")
    start, end, series, samples = scraper.dump(HERE / "series.om.gz")
    sources = [
        *("Airflow 3.3.2", "statsd_exporter", "git-sync (the stand-in of this project)", "PostgreSQL"),
        *("postgres_exporter", "Redis", "redis_exporter", "Prometheus", "the operator on a kube-apiserver"),
    ]
    about = {
        "start": start, "end": end, "step": STEP, "tenants": ["payments", "analytics", "ml"],
        "series": series, "samples": samples, "sources": sources,
        "written": "programs that were not there: see written/",
        "happened": story.happened,
    }  # fmt: skip
    (HERE / "recording.json").write_text(json.dumps(about, indent=2) + "\n")
    say(f"{series} series, {samples} samples")


def say(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Renew the recording that the tests of the dashboards use.")
    parser.add_argument("--minutes", type=float, default=14.0, help="how long to record")
    parser.add_argument("--keep", action="store_true", help="keep the logs of the programs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="recording-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # end what was started then, too
    folder.chmod(0o755)  # PostgreSQL and PgBouncer run as another user
    try:
        record(folder, options.minutes)
    finally:
        if options.keep:
            say(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
