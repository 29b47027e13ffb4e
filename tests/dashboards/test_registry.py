"""The registry of metrics agrees with Airflow, the operator, the recording, and what boards and rules use.

After an upgrade of Airflow that renames or removes a metric these tests list the panels and rules that break.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.dashboards.grafana import Choices, boards
from tests.dashboards.recording import rules, written
from tests.dashboards.recording.playback import HERE, Recorded

from tenant_dashboards.registry import Metric, Registry, airflow, operator
from tenant_dashboards.registry.__main__ import FILE, airflow_version, build, template

#: Labels that the scrape configuration gives to every series, or that Prometheus makes.
TARGET_LABELS = {
    *("__name__", "job", "instance", "tenant", "team", "namespace", "pod", "container", "component", "le"),
    *("quantile",),
}
TYPES = {"info": "gauge"}


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The committed registry."""
    return Registry.read(FILE)


@pytest.fixture(scope="session")
def uses(recorded: Recorded) -> dict[str, list[str]]:
    """Name of a series -> the titles of the panels, variables and rules that read it."""
    found: dict[str, list[str]] = defaultdict(list)
    for board in boards():
        if board.name.endswith(" of analytics"):
            continue  # the same as of the other team
        choices = Choices(board, recorded)
        selection = choices.selections()[0]
        for query in board.queries:
            for name in names(recorded, selection.put_into(query.expr, choices.span)):
                found[name].append(f"{board.name}: panel {query.panel!r}")
        for variable in board.variables:
            match = variable.query.removeprefix("label_values(").rpartition(",")[0]
            if variable.kind == "query" and match:
                for name in names(recorded, selection.put_into(match, choices.span)):
                    found[name].append(f"{board.name}: variable ${variable.name}")
    for rule in rules.load():
        kind = "alert" if rule.alert else "rule"
        for name in names(recorded, rule.expr):
            found[name].append(f"{rule.file}: {kind} {rule.name}")
    return {name: sorted(set(where)) for name, where in found.items()}


def names(recorded: Recorded, expr: str) -> set[str]:
    """The metrics that an expression reads."""
    return {name for name, _ in recorded.selectors(expr) if name}


def by_record() -> set[str]:
    """What recording rules make."""
    return {rule.name for rule in rules.load() if not rule.alert}


def broken_by(
    known: Registry, defined: Iterable[Metric], uses: dict[str, list[str]], source: str
) -> list[str]:
    """One line for each metric that the registry has and the definitions have not, with its uses."""
    now = {(metric.name, metric.type) for metric in defined}
    lines = []
    for metric in known.of(source):
        if (metric.name, metric.type) in now:
            continue
        where = sorted({use for series in metric.series for use in uses.get(series, [])})
        lines.append(f"{metric.name} ({metric.type}) is gone; it is used by: {'; '.join(where) or 'nothing'}")
    return lines


@pytest.mark.covers("M-01")
def test_the_registry_has_each_definition_of_the_pinned_airflow(
    registry: Registry, uses: dict[str, list[str]]
) -> None:
    file = template()
    assert len(airflow.definitions(file)) == 128
    defined = list(airflow.metrics(file, {}, airflow_version(file)))
    broken = broken_by(registry, defined, uses, "airflow")
    assert not broken, "this Airflow breaks panels and rules:\n" + "\n".join(broken)
    new = {metric.name for metric in defined} - {metric.name for metric in registry}
    assert not new, f"run 'make generate': the registry lacks {sorted(new)}"


@pytest.mark.covers("M-01")
def test_an_upgrade_that_renames_a_metric_lists_what_breaks(
    registry: Registry, uses: dict[str, list[str]], tmp_path: Path
) -> None:
    text = template().read_text()
    assert '"scheduler_heartbeat"' in text
    changed = tmp_path / "metrics_template.yaml"
    changed.write_text(text.replace('"scheduler_heartbeat"', '"scheduler_beat"'))
    broken = broken_by(registry, airflow.metrics(changed, {}, "4.0"), uses, "airflow")
    assert len(broken) == 1
    assert broken[0].startswith("airflow_scheduler_heartbeat (counter) is gone; it is used by: ")
    assert "alert AirflowSchedulerHeartbeatMissing" in broken[0]
    assert "platform/team: panel " in broken[0]


def test_a_metric_that_changes_its_type_is_listed(
    registry: Registry, uses: dict[str, list[str]], tmp_path: Path
) -> None:
    entries = airflow.definitions(template())
    for entry in entries:
        if entry["name"] == "pool.open_slots":
            entry["type"] = "counter"
    changed = tmp_path / "metrics_template.yaml"
    changed.write_text(json.dumps({"metrics": entries}))
    broken = broken_by(registry, airflow.metrics(changed, {}, "4.0"), uses, "airflow")
    assert [line.partition(" ")[0] for line in broken] == ["airflow_pool_open_slots"]


@pytest.mark.covers("M-07")
def test_the_registry_has_each_metric_of_the_operator(registry: Registry, uses: dict[str, list[str]]) -> None:
    defined = list(operator.metrics({}, "0"))
    broken = broken_by(registry, defined, uses, "operator")
    assert not broken, "the operator's code breaks panels and rules:\n" + "\n".join(broken)
    new = {metric.name for metric in defined} - {metric.name for metric in registry.of("operator")}
    assert not new, f"run 'make generate': the registry lacks {sorted(new)}"


def test_the_registrys_file_is_up_to_date(registry: Registry) -> None:
    fresh, _ = build(template())
    assert sorted(fresh, key=lambda metric: metric.name) == list(registry), "run 'make generate'"


def test_what_boards_and_rules_use_is_in_the_registry(registry: Registry, uses: dict[str, list[str]]) -> None:
    made = by_record()
    unknown = [
        f"{name}: {'; '.join(where)}"
        for name, where in sorted(uses.items())
        if registry.find(name) is None and name not in made
    ]
    assert not unknown, "these metrics are in no registry:\n" + "\n".join(unknown)


def test_recorded_series_have_the_labels_of_the_registry(registry: Registry, recorded: Recorded) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for labels in recorded.series('{__name__=~"airflow_.+"}'):
        metric = registry.find(labels["__name__"])
        assert metric is not None, f"{labels['__name__']} was recorded, and is in no registry"
        # the operator's own series tell tenant and namespace by themselves
        seen[metric.name] |= labels.keys() - TARGET_LABELS
    wrong = [
        f"{name}: {sorted(labels - set(known.labels))} recorded, not in the registry"
        for name, labels in sorted(seen.items())
        if (known := registry.find(name) or registry.find(f"{name}_count"))
        and not labels <= set(known.labels)
    ]
    assert len(seen) > 100
    assert not wrong, "\n".join(wrong)


def test_no_label_of_a_recorded_series_holds_the_id_of_a_run(recorded: Recorded) -> None:
    for labels in recorded.series('{__name__=~"airflow_.+"}'):
        assert not labels.keys() & airflow.DISABLED_TAGS, labels
        assert not any("__20" in value for value in labels.values()), labels


def test_recorded_families_have_the_type_of_the_registry(registry: Registry) -> None:
    told = json.loads((HERE / "metadata.json").read_text())
    wrong, checked = [], 0
    for name, family in told.items():
        metric = registry.find(name) or registry.find(f"{name}_total") or registry.find(f"{name}_count")
        if metric is None or family["type"] == "unknown":
            continue
        checked += 1
        # prometheus_client has no counters without _total in its text: postgres_exporter calls some untyped
        if family["type"] not in (metric.type, TYPES.get(metric.type)):
            wrong.append(f"{name} is a {family['type']}, and a {metric.type} in the registry")
    assert checked > 120
    assert not wrong, "\n".join(wrong)


def test_written_series_are_of_programs_that_are_in_the_registry(registry: Registry) -> None:
    sources = set()
    for name, file in written.names().items():
        metric = registry.find(name) or registry.find(f"{name}_count")
        assert metric is not None, f"{file}: {name} is in no registry"
        sources.add(metric.source)
    assert not sources & {"operator", "git-sync", "postgres-exporter", "redis-exporter", "library"}
