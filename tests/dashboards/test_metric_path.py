"""Airflow's metrics on their way: StatsD lines, the chart's mapping in a real statsd_exporter, labels."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.airflow.environment import airflow_bin
from tests.airflow.server import _empty_database, environment, wait_until
from tests.dashboards.recording.airflows import MAPPING, metrics_settings
from tests.dashboards.recording.programs import Programs, get, statsd_exporter

from devcluster.tools import tool
from tenant_dashboards.registry import Registry
from tenant_dashboards.registry.__main__ import FILE

ROOT = Path(__file__).resolve().parents[2]
#: What an Airflow 3.3.2 with the chart's settings has sent: each kind of line twice at most.
CAPTURE = Path(__file__).with_name("statsd_capture.txt").read_text().splitlines()
#: Words of ids in the capture: DAGs, tasks, pools, files.
IDS = ("many", "_ok", "etl", "grp", "broken", "boom", "default", "tiny")


@dataclass
class Exporter:
    """A statsd_exporter with the chart's mapping."""

    udp: int
    http: int

    def send(self, *lines: str) -> None:
        """One packet for each line."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for line in lines:
                out.sendto(line.encode(), ("127.0.0.1", self.udp))

    def families(self) -> dict[str, Metric]:
        """What it serves, by name; counters as their samples are called."""
        text = get(f"http://127.0.0.1:{self.http}/metrics")
        return {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, sample: str, **labels: str) -> float | None:
        """The value of a sample with exactly these labels. (The parser adds _total to counters.)"""
        return next(
            (
                s.value
                for family in self.families().values()
                for s in family.samples
                if s.name in (sample, f"{sample}_total") and s.labels == labels
            ),
            None,
        )

    def has(self, sample: str, value: float, **labels: str) -> None:
        """Wait for a value."""
        wait_until(lambda: self.value(sample, **labels) == value, 10, self._explain)

    def _explain(self) -> str:
        found = self.families().items()
        return "\n".join(str(f.samples) for name, f in found if not name.startswith(("go_", "process_")))


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    """A new one: nothing in it."""
    programs = Programs(tmp_path)
    try:
        yield Exporter(*statsd_exporter(programs, "test", MAPPING))
    finally:
        programs.stop()


@pytest.fixture
def replayed(exporter: Exporter) -> Exporter:
    """With everything of the capture."""
    exporter.send(*CAPTURE, "the_last_line:1|c")
    exporter.has("the_last_line", 1)
    return exporter


def airflow_families(exporter: Exporter) -> dict[str, Metric]:
    """Without those of the exporter itself."""
    return {name: f for name, f in exporter.families().items() if name.startswith("airflow")}


@pytest.mark.covers("M-01")
def test_every_line_that_airflow_sends_is_understood(replayed: Exporter) -> None:
    assert replayed.value("statsd_exporter_lines_total") == len(CAPTURE) + 1
    assert not replayed.value("statsd_exporter_tag_errors_total")
    assert replayed.value("statsd_exporter_events_conflict_total", type="counter") is None
    wrong = [name for name in replayed.families() if name.startswith("statsd_") and "error" in name]
    for name in wrong:
        assert all(s.value == 0 for s in replayed.families()[name].samples), name
    assert len(airflow_families(replayed)) > 40


@pytest.mark.covers("M-01")
def test_no_name_holds_an_id(replayed: Exporter) -> None:
    names = airflow_families(replayed)
    assert not [
        name for name in names if any(word in name for word in IDS) and name != "airflow_pool_default"
    ]
    registry = Registry.read(FILE)
    unknown = [name for name in names if not (registry.find(name) or registry.find(f"{name}_bucket"))]
    assert not unknown, "statsd_exporter makes names that no definition of Airflow has"


@pytest.mark.covers("M-01")
def test_tags_are_labels(replayed: Exporter) -> None:
    assert replayed.value("airflow_pool_starving_tasks", pool_name="tiny") == 4
    started = "airflow_ti_start"
    assert replayed.value(started, dag_id="ok", task_id="grp.extract") == 1, "a task's dot stays"
    assert (
        replayed.value("airflow_executor_open_slots", executor_class_name="LocalExecutor", status="open") == 6
    )


@pytest.mark.covers("M-01")
def test_timers_are_histograms_in_seconds(replayed: Exporter) -> None:
    family = replayed.families()["airflow_dagrun_duration_success"]
    assert family.type == "histogram"
    ok = {"dag_id": "ok", "run_type": "scheduled"}
    total = replayed.value("airflow_dagrun_duration_success_sum", **ok)
    assert total == pytest.approx(16.380759)
    name = "airflow_dagrun_duration_success_bucket"
    assert replayed.value(name, le="15", **ok) == 0
    assert replayed.value(name, le="30", **ok) == 1
    timers = {line.partition(",")[0].partition(":")[0] for line in CAPTURE if line.endswith("|ms")}
    assert len(timers) > 10
    kinds = {name: family.type for name, family in airflow_families(replayed).items()}
    assert "summary" not in kinds.values()


def test_the_one_timer_that_airflow_sends_in_seconds_is_not_a_thousandth(exporter: Exporter) -> None:
    exporter.send("airflow.dag_processing.last_duration,file_name=etl:0.464416|ms")
    exporter.has("airflow_dag_processing_last_duration_count", 1, file_name="etl")
    assert exporter.value("airflow_dag_processing_last_duration_sum", file_name="etl") == pytest.approx(
        0.464416
    )


@pytest.mark.covers("M-01")
def test_the_one_name_with_an_id_is_dropped(replayed: Exporter) -> None:
    assert any(".ok.first_task_scheduling_delay" in line for line in CAPTURE), "the capture has it"
    names = list(airflow_families(replayed))
    assert [name for name in names if "first_task_scheduling_delay" in name] == [
        "airflow_dagrun_first_task_scheduling_delay"
    ]


@pytest.mark.covers("M-01")
def test_gauges_end_and_counters_stay(tmp_path: Path) -> None:
    mapping = yaml.safe_load(MAPPING.read_text())
    lifetimes = {rule.get("match_metric_type", "all"): rule.get("ttl") for rule in mapping["mappings"]}
    assert lifetimes["gauge"] == "15m"
    for rule in mapping["mappings"]:
        if rule.get("match_metric_type") == "gauge":
            rule["ttl"] = "1s"  # the same rule, sooner
    quick = tmp_path / "mapping.yaml"
    quick.write_text(yaml.safe_dump(mapping))
    programs = Programs(tmp_path)
    try:
        exporter = Exporter(*statsd_exporter(programs, "quick", quick))
        exporter.send("airflow.pool.open_slots,pool_name=gone:3|g", "airflow.ti_failures,dag_id=d:1|c")
        exporter.has("airflow_ti_failures", 1, dag_id="d")
        wait_until(lambda: "airflow_pool_open_slots" not in exporter.families(), 15)
        time.sleep(1)
        assert exporter.value("airflow_ti_failures", dag_id="d") == 1
    finally:
        programs.stop()


DAG = """
from datetime import timedelta

import pendulum
from airflow.sdk import dag, task
from airflow.sdk.observability import stats


@task
def measure():
    stats.incr("billing.invoices", 3, tags={"country": "de"})
    stats.gauge("billing.open", 17, tags={"country": "de"})
    stats.timing("billing.export", timedelta(milliseconds=2500), tags={"bank": "acme"})
    with stats.timer("billing.print"):
        pass


@dag(schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"))
def billing():
    measure()


billing()
"""


@pytest.mark.covers("M-03")
def test_a_tasks_own_counter_gauge_and_timer_arrive_with_labels(exporter: Exporter, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "billing.py").write_text(DAG)
    shutil.copyfile(_empty_database(), home / "airflow.db")
    settings = {"AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags")} | metrics_settings(exporter.udp)
    done = subprocess.run(
        [str(airflow_bin() / "airflow"), "dags", "test", "billing"],
        env=environment(home, 1, settings), cwd=home, capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    exporter.has("airflow_billing_invoices", 3, country="de")
    exporter.has("airflow_billing_open", 17, country="de")
    exporter.has("airflow_billing_export_bucket", 1, bank="acme", le="5")
    assert exporter.value("airflow_billing_export_sum", bank="acme") == 2.5
    assert exporter.families()["airflow_billing_print"].type == "histogram"


@pytest.mark.covers("M-04")
def test_the_librarys_page_is_what_prometheus_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "dags"))
    from airflow_usecases import metrics

    seconds = metrics.distribution([0.004, 0.02, 0.3])
    measured: metrics.Measured = {
        "imported": {"north": 3}, "rejected": 1, "backlog": 0, "seconds": seconds,
    }  # fmt: skip
    page = metrics.exposition(measured, 0.25)
    for name in [name for name in sys.modules if name.startswith("airflow_usecases")]:
        monkeypatch.delitem(sys.modules, name)
    checked = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=page, capture_output=True, text=True, timeout=30
    )
    problems = [line for line in checked.stderr.splitlines() if "_created" not in line]
    assert checked.returncode in (0, 3), checked.stderr
    assert not problems
    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert families["orders_imported"].type == "counter"
    assert families["orders_backlog"].type == "gauge"
    assert families["order_import_seconds"].type == "histogram"
    assert re.search(r'^orders_imported_total\{region="north"\} 3\.0$', page, re.MULTILINE)
