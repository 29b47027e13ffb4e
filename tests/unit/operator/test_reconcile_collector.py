"""The tenants' series: which, with which labels, and that they are gone with their tenant."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.operator.support import raw

from devcluster.tools import tool
from tenant_operator.api.status import Condition, DagSourceStatus, ObjectCounts, ObjectsStatus, TenantStatus
from tenant_operator.api.status import Release as ReleaseStatus
from tenant_operator.core.airflow_types import Health
from tenant_operator.core.errors import ConditionType
from tenant_operator.core.metrics import Metrics
from tenant_operator.handlers.serving import expose
from tenant_operator.plan.git_sync import Revision
from tenant_operator.plan.health import HealthView
from tenant_operator.plan.outcome import Finding
from tenant_operator.reconcile.collector import TenantCollector, exposition
from tenant_operator.reconcile.series import RELEASE_STATUSES, Snapshot, release_status
from tenant_operator.reconcile.state import Kept, TenantState

SPEC: dict[str, Any] = {
    "airflow": {"version": "3.3.2", "executor": "KubernetesExecutor", "scheduler": {"replicas": 2}},
    "pools": [{"name": "etl", "slots": 4}, {"name": "no limit", "slots": -1}],
    "monitoring": {
        "slo": [{"name": "settlement", "metric": "dagRunSuccess", "objective": "99.5"}],
        "dagDurations": [{"dag": "settlement", "limit": "1h30m"}],
    },
}
STAMP = "2026-11-21T15:00:00Z"
NOON = 1795273200.0
HEALTHY = Health("healthy", "unhealthy", "healthy", "", {"scheduler": 1.5, "dag-processor": 2.5})


def condition(kind: str, status: str = "True", reason: str = "Succeeded") -> Condition:
    return Condition(type=kind, status=status, reason=reason, last_transition_time=STAMP)


def state(name: str = "payments", **spec: Any) -> TenantState:
    """A tenant that is up, but for its scheduler."""
    made = TenantState(
        raw=raw(name, **{**SPEC, **spec}),
        status=TenantStatus(
            observed_generation=2,
            namespace=f"airflow-{name}",
            conditions=[condition("Ready"), condition("DagsSynced", "Unknown", "DagsPending")],
            release=ReleaseStatus(
                name=name, revision=5, chart_version="0.1.0", airflow_version="3.3.1",
                executor="LocalExecutor", digest="d1",
            ),
            dags=[
                DagSourceStatus(name="main", commit="0123abcd", dag_count=7),
                DagSourceStatus(name="image", dag_count=2),
            ],
            objects=ObjectsStatus(
                pools=ObjectCounts(desired=2, in_sync=2),
                connections=ObjectCounts(desired=3, in_sync=1, failed=2),
            ),
        ),
    )  # fmt: skip
    made.health = HealthView(Finding.true("fine"), HEALTHY)
    made.revisions = {"main": Revision("0123abcd", 1700.0)}
    made.drift_detected["Deployment"] = 3
    made.drift_corrected["Deployment"] = 2
    return made


def samples(*states: TenantState) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All samples by name and sorted labels, as a scrape of Prometheus' text format finds them."""
    text = exposition(TenantCollector(lambda: states).snapshot(), openmetrics=False)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(name: str, *states: TenantState, **labels: str) -> dict[str, float]:
    """The samples of one name with these labels; keyed by the labels that are left, joined."""
    skip = {"tenant", "namespace", *labels}
    return {
        ",".join(value for key, value in its if key not in skip): found
        for (sample, its), found in samples(*states).items()
        if sample == name and labels.items() <= dict(its).items()
    }


GOLDEN = """\
airflow_tenant_info{tenant="payments",namespace="airflow-payments",team="pay",airflow_version="3.3.1",\
chart_version="0.1.0",executor="LocalExecutor",paused="false",monitored="true",state="Running"} 1.0
airflow_tenant_status_condition{tenant="payments",namespace="airflow-payments",type="Ready",status="True"} 1.0
airflow_tenant_condition_last_transition_timestamp_seconds{tenant="payments",namespace="airflow-payments",\
type="Ready"} 1795273200.0
airflow_tenant_generation{tenant="payments",namespace="airflow-payments"} 3.0
airflow_tenant_observed_generation{tenant="payments",namespace="airflow-payments"} 2.0
airflow_tenant_component_replicas_desired{tenant="payments",namespace="airflow-payments",\
component="scheduler"} 2.0
airflow_tenant_component_healthy{tenant="payments",namespace="airflow-payments",component="scheduler"} 0.0
airflow_tenant_component_last_heartbeat_timestamp_seconds{tenant="payments",namespace="airflow-payments",\
component="dag-processor"} 2.5
airflow_tenant_pool_slots{tenant="payments",namespace="airflow-payments",pool_name="etl"} 4.0
airflow_tenant_pool_slots{tenant="payments",namespace="airflow-payments",pool_name="no limit"} +Inf
airflow_tenant_pools{tenant="payments",namespace="airflow-payments",state="in_sync"} 2.0
airflow_tenant_connections{tenant="payments",namespace="airflow-payments",state="failed"} 2.0
airflow_tenant_variables{tenant="payments",namespace="airflow-payments",state="desired"} 0.0
airflow_tenant_rbac_roles{tenant="payments",namespace="airflow-payments",state="desired"} 0.0
airflow_tenant_helm_release_info{tenant="payments",namespace="airflow-payments",release="payments",\
revision="5",chart_version="0.1.0",airflow_version="3.3.1"} 1.0
airflow_tenant_helm_release_status{tenant="payments",namespace="airflow-payments",status="deployed"} 1.0
airflow_tenant_dags_revision_info{tenant="payments",namespace="airflow-payments",source="main",\
revision="0123abcd"} 1.0
airflow_tenant_dags_revision_pending_since_timestamp_seconds{tenant="payments",namespace="airflow-payments",\
source="main"} 1700.0
airflow_tenant_dags{tenant="payments",namespace="airflow-payments",source="image"} 2.0
airflow_tenant_slo_objective_ratio{tenant="payments",namespace="airflow-payments",slo="settlement"} 0.995
airflow_tenant_dag_duration_limit_seconds{tenant="payments",namespace="airflow-payments",\
dag_id="settlement"} 5400.0
airflow_operator_drift_detected_total{tenant="payments",namespace="airflow-payments",kind="Deployment"} 3.0
airflow_operator_drift_corrected_total{tenant="payments",namespace="airflow-payments",kind="Deployment"} 2.0
""".splitlines()


@pytest.mark.covers("M-07")
def test_one_line_of_each_family_as_prometheus_reads_it() -> None:
    text = exposition(TenantCollector(lambda: [state()]).snapshot(), openmetrics=False)
    lines = text.splitlines()
    assert [line for line in GOLDEN if line not in lines] == []
    families = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert families == {line.partition("{")[0] for line in GOLDEN} | {"airflow_operator_tenants"}
    assert "airflow_operator_tenants 1.0" in lines
    fixed = 1 + 4 * len(ConditionType) - (len(ConditionType) - 2) + 2 + 4 + 5 + 2 + 12 + 1 + 6
    assert len([line for line in lines if line.startswith("airflow_tenant_")]) == fixed + 2 + 2 + 2 + 2


@pytest.mark.covers("M-07")
def test_each_condition_has_one_status_and_all_types_are_there() -> None:
    told = of("airflow_tenant_status_condition", state())
    assert told.keys() == {f"{s},{t.value}" for s in ("True", "False", "Unknown") for t in ConditionType}
    for kind in ConditionType:
        assert sum(of("airflow_tenant_status_condition", state(), type=kind.value).values()) == 1, kind
    assert told["True,Ready"] == 1
    assert told["Unknown,DagsSynced"] == 1
    assert told["Unknown,DatabaseReady"] == 1, "a gate that nobody has come to yet"
    assert told["False,Stalled"] == 1, "present only when true"
    assert of("airflow_tenant_condition_last_transition_timestamp_seconds", state()) == {
        "Ready": NOON,
        "DagsSynced": NOON,
    }


@pytest.mark.covers("M-07")
def test_the_series_of_a_tenant_go_with_its_state() -> None:
    states = [state("payments"), state("analytics")]
    collector = TenantCollector(lambda: states)
    assert 'tenant="analytics"' in exposition(collector.snapshot(), openmetrics=False)
    del states[1]
    text = exposition(collector.snapshot(), openmetrics=False)
    assert "analytics" not in text
    assert "airflow_operator_tenants 1.0" in text


@pytest.mark.parametrize("format_", ["text", "openmetrics"])
def test_the_librarys_encoder_tells_the_same(format_: str) -> None:
    """Ours is there for its speed alone."""
    odd = state("odd", pools=[{"name": 'a "quoted"\\path\nand line', "slots": 1.5}])
    collector = TenantCollector(lambda: [state(), odd])
    registry = CollectorRegistry()
    registry.register(collector)
    modern = format_ == "openmetrics"
    theirs: bytes = openmetrics.generate_latest(registry) if modern else generate_latest(registry)  # type: ignore[no-untyped-call]
    ours = exposition(collector.snapshot(), openmetrics=modern) + ("# EOF\n" if modern else "")

    def order(text: str) -> list[object]:
        """Lines with their labels sorted and their number read; comments as they are."""
        families = [line for line in text.splitlines() if line.startswith("#")]
        found = {
            (sample.name, tuple(sorted(sample.labels.items())), sample.value)
            for family in text_string_to_metric_families(text.replace("# EOF\n", ""))
            for sample in family.samples
        }
        return [families, found]

    assert order(ours) == order(theirs.decode())


@pytest.mark.parametrize(
    "name", ['x"} 1\nairflow_tenant_info{tenant="other"} 1\n\\', '"', "\\", "\n", "ü/{}"]
)
def test_what_a_team_writes_cannot_break_out_of_its_label(name: str) -> None:
    made = state(pools=[{"name": name, "slots": 1}])
    assert of("airflow_tenant_pool_slots", made) == {name: 1.0}
    assert {dict(its)["tenant"] for _, its in samples(made) if its} == {"payments"}


def test_no_value_of_a_secret_or_a_setting_is_in_a_label() -> None:
    private = "hunter2"
    made = state(
        airflow={"env": [{"name": "TOKEN", "value": private}], "config": {"core": {"x": private}}},
        connections=[{"id": "db", "type": "postgres", "login": private, "extra": {"password": private}}],
        variables=[{"key": "k", "value": private}],
    )
    made.status = made.status.model_copy(
        update={"conditions": [Condition(type="Ready", status="False", reason="X", message=private)]}
    )
    made.checksums = {"secret": private}
    assert private not in exposition(TenantCollector(lambda: [made]).snapshot(), openmetrics=False)


def test_a_suspended_tenant_is_paused_and_its_components_are_not_known() -> None:
    made = state(suspend=True)
    assert of("airflow_tenant_info", made, paused="true")
    assert of("airflow_tenant_component_healthy", made) == {}
    assert of("airflow_tenant_component_last_heartbeat_timestamp_seconds", made) == {}
    assert of("airflow_tenant_component_replicas_desired", made)["scheduler"] == 2, "what runs keeps running"


@pytest.mark.parametrize(
    ("told", "wanted", "state_"),
    [
        ("", "Running", "Running"),
        ("Running", "Running", "Running"),
        ("Running", "Hibernated", "Hibernating"),
        ("Hibernating", "Hibernated", "Hibernating"),
        ("Hibernated", "Hibernated", "Hibernated"),
        ("Hibernating", "Running", "Waking"),
        ("Hibernated", "Running", "Waking"),
        ("Waking", "Running", "Waking"),
        ("Waking", "Hibernated", "Hibernating"),
    ],
)
def test_the_state_is_told_as_soon_as_another_one_is_asked_for(told: str, wanted: str, state_: str) -> None:
    """Alerts must neither miss what is told to sleep, nor expect at once what is told to wake."""
    made = state(state=wanted)
    made.status = made.status.model_copy(update={"state": told})
    assert of("airflow_tenant_info", made, state=state_)


def test_a_tenant_at_rest_wants_no_components_and_nothing_is_known_of_them() -> None:
    for made in (state(state="Hibernated"), annotated("Hibernated")):
        assert set(of("airflow_tenant_component_replicas_desired", made).values()) == {0}
        assert of("airflow_tenant_component_healthy", made) == {}
    assert of("airflow_tenant_component_healthy", annotated("Running", state="Hibernated")) != {}


def annotated(asked: str, **spec: Any) -> TenantState:
    made = state(**spec)
    made.raw["metadata"]["annotations"] = {"airflowtenants.io/state": asked}
    return made


def test_who_is_suspended_stays_as_he_is_told() -> None:
    made = state(suspend=True, state="Hibernated")
    assert of("airflow_tenant_info", made, state="Running", paused="true")


@pytest.mark.parametrize(
    ("told", "wanted", "running"),
    [("Running", "Hibernated", 2), ("Hibernated", "Running", 0), ("Hibernating", "Running", 0)],
)
def test_what_a_suspended_tenant_is_asked_for_is_not_yet_wanted(told: str, wanted: str, running: int) -> None:
    made = state(suspend=True, state=wanted)
    made.status = made.status.model_copy(update={"state": told})
    assert of("airflow_tenant_component_replicas_desired", made)["scheduler"] == running
    assert of("airflow_tenant_info", made, state=told, paused="true")


def test_a_tenant_that_wants_no_monitoring_says_so() -> None:
    """The alerts that read its own series leave it alone."""
    for monitoring, told in (({"enabled": False}, "false"), ({"enabled": True}, "true"), ({}, "true")):
        assert of("airflow_tenant_info", state(monitoring=monitoring), monitored=told)


def test_an_airflow_that_does_not_answer_says_nothing_of_its_components() -> None:
    made = state()
    made.health = HealthView(Finding.unknown("silence"), None, 2)
    assert of("airflow_tenant_component_healthy", made) == {"api-server": 0}
    made.health = None
    assert of("airflow_tenant_component_healthy", made) == {}


def test_a_tenant_on_its_way_out_wants_no_components() -> None:
    made = state()
    made.raw["metadata"]["deletionTimestamp"] = STAMP
    assert set(of("airflow_tenant_component_replicas_desired", made).values()) == {0}
    assert of("airflow_tenant_component_healthy", made) == {}
    assert of("airflow_tenant_helm_release_status", made)["uninstalling"] == 1


def test_a_new_tenant_has_series_before_its_first_pass() -> None:
    made = TenantState(raw=raw("new"), status=TenantStatus())
    assert of("airflow_tenant_info", made, tenant="new", namespace="airflow-new") == {
        ",,,true,false,Running,pay": 1
    }
    assert of("airflow_tenant_helm_release_status", made)["pending-install"] == 1
    assert of("airflow_tenant_helm_release_info", made) == {}
    assert of("airflow_tenant_observed_generation", made) == {"": 0}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"pools": "many", "monitoring": ["x"], "airflow": None, "owner": 3}, id="wrong types"),
        pytest.param({"pools": [{"name": "p", "slots": "many"}, 3]}, id="no number"),
        pytest.param({"monitoring": {"slo": [{"objective": "all"}]}}, id="no percentage"),
        pytest.param({"monitoring": {"dagDurations": [{"limit": "soon"}]}}, id="no duration"),
        pytest.param({"airflow": {"scheduler": {"replicas": "two"}}}, id="no count"),
    ],
)
def test_a_spec_that_the_operator_refuses_does_not_take_the_scrape_down(spec: dict[str, Any]) -> None:
    assert of("airflow_tenant_generation", state(**spec)) == {"": 3}


def kept(digest: str) -> Kept:
    return Kept(digest, (), b"")


RELEASES: list[tuple[str, dict[str, Any], str]] = [
    ("up", {}, "deployed"),
    ("up, and rendered again as it was", {"release": "d1"}, "deployed"),
    ("a new one is coming", {"release": "d2", "ready": ("False", "ComponentsStarting")}, "pending-upgrade"),
    ("a new one crashes", {"release": "d2", "ready": ("False", "CrashLooping")}, "failed"),
    ("the present one crashes", {"release": "d1", "ready": ("False", "CrashLooping")}, "deployed"),
    ("the chart refuses the spec", {"gate": ("False", "RenderFailed")}, "failed"),
    ("the first is coming", {"revision": 0, "ready": ("False", "DatabaseStarting")}, "pending-install"),
    ("the first crashes", {"revision": 0, "ready": ("False", "MigrationFailed")}, "failed"),
    ("suspended before the first", {"revision": 0, "suspend": True}, "unknown"),
    ("suspended while a new one was coming", {"release": "d2", "suspend": True}, "deployed"),
]


@pytest.mark.parametrize(("name", "given", "wanted"), RELEASES, ids=[case[0] for case in RELEASES])
def test_the_releases_status_in_helms_words(name: str, given: dict[str, Any], wanted: str) -> None:
    made = state(suspend=given.get("suspend", False))
    made.release = kept(given["release"]) if "release" in given else None
    conditions = [condition("Ready", *given.get("ready", ("True", "Succeeded")))]
    conditions.append(condition("ReleaseReady", *given.get("gate", ("True", "Succeeded"))))
    release = made.status.release.model_copy(update={"revision": given.get("revision", 5)})
    made.status = made.status.model_copy(update={"conditions": conditions, "release": release})
    assert release_status(Snapshot.of(made)) == wanted, name
    told = of("airflow_tenant_helm_release_status", made)
    assert told == {status: float(status == wanted) for status in RELEASE_STATUSES}


def test_a_reason_that_this_version_does_not_know_is_not_taken_for_progress() -> None:
    made = state()
    made.release = kept("d2")
    made.status = made.status.model_copy(update={"conditions": [condition("Ready", "False", "Whatever")]})
    assert release_status(Snapshot.of(made)) == "failed"


@pytest.mark.covers("M-07")
def test_promtool_has_nothing_to_say_about_any_name_or_help() -> None:
    metrics = Metrics()
    metrics.build.labels("1", "2").set(1)
    metrics.price("cpu_core_hour", "EUR", 0.04)
    for count in (metrics.api_requests, metrics.airflow_requests):
        count.labels("GET", "200").inc()
    metrics.helm("template", 0.1, ok=True)
    metrics.watch_restarts.labels("pods").inc()
    body, _ = expose(metrics.registry, TenantCollector(lambda: [state()]).snapshot(), "")
    # `_created` is the library's, and switched off in the operator.
    lines = [line for line in body.decode().splitlines() if "_created" not in line]
    done = subprocess.run(
        [str(tool("promtool")), "check", "metrics"],
        input="\n".join(lines) + "\n",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
