"""Inheritance, blocks, environments and for_each."""

from __future__ import annotations

from datetime import timedelta

from tenant_airflow_lib.factory import Policy, read_definitions

FILE = """\
format: 1
default_environment: dev
vars: {pool: small, owner: platform}
environments:
  dev:
    overrides: {schedule: null, tags: [dev]}
  prod:
    vars: {pool: big}
    dags:
      child: {max_active_runs: 3, tasks: [{id: load, retries: 9}]}
templates:
  root:
    owner: ${vars.owner}
    schedule: "@daily"
    tags: [root]
    task_defaults: {retries: 1, retry_delay: 1m}
    tasks:
      - {id: extract, operator: empty}
      - {id: load, operator: empty, dependencies: [extract], pool: "${vars.pool}"}
  middle:
    extends: root
    tags: [middle]
    task_defaults: {retries: 4}
blocks:
  checks:
    - {id: check, operator: empty}
dags:
  - dag_id: child
    extends: middle
    tags: [child, root]
    blocks: [checks]
    tasks:
      - {id: load, dependencies: [extract, check]}
      - {id: report, operator: empty, dependencies: [load]}
  - dag_id: each_${each.name}
    for_each: [{name: one, size: 1}, {name: two, size: 2}]
    max_active_runs: ${each.size}
    tasks: [{id: extract, operator: empty}]
"""


def loaded(tmp_path, environment=None, text=FILE):
    path = tmp_path / "dags.yaml"
    path.write_text(text)
    result = read_definitions(path, Policy(), environment=environment)
    assert result.problems == ()
    return {definition.dag_id: definition.dag for definition in result.definitions}


def test_a_child_has_what_its_ancestors_have_and_wins(tmp_path):
    child = loaded(tmp_path, "prod")["child"]
    assert (child.owner, child.schedule) == ("platform", "@daily")
    assert child.task_defaults.retries == 4
    assert child.task_defaults.retry_delay == timedelta(minutes=1)


def test_tags_are_joined_without_doubles(tmp_path):
    assert loaded(tmp_path, "prod")["child"].tags == ["root", "middle", "child"]


def test_tasks_are_matched_by_id(tmp_path):
    child = loaded(tmp_path, "prod")["child"]
    assert [task.id for task in child.tasks] == ["extract", "load", "check", "report"]
    load = child.tasks[1]
    assert (load.dependencies, load.pool, load.operator) == (["extract", "check"], "big", "empty")


def test_an_environment_wins_over_everything_and_its_entry_for_a_dag_over_that(tmp_path):
    dev, prod = loaded(tmp_path, "dev")["child"], loaded(tmp_path, "prod")["child"]
    assert (dev.schedule, dev.max_active_runs, dev.tags[-1], dev.tasks[1].pool) == (None, 1, "dev", "small")
    assert (prod.schedule, prod.max_active_runs, prod.tasks[1].retries) == ("@daily", 3, 9)


def test_the_default_environment_is_used_when_nobody_chooses(tmp_path, monkeypatch):
    monkeypatch.delenv("DAG_FACTORY_ENVIRONMENT", raising=False)
    assert loaded(tmp_path)["child"].schedule is None
    monkeypatch.setenv("DAG_FACTORY_ENVIRONMENT", "prod")
    assert loaded(tmp_path)["child"].schedule == "@daily"


def test_for_each_makes_a_dag_of_each_item(tmp_path):
    dags = loaded(tmp_path, "prod")
    assert {name: dag.max_active_runs for name, dag in dags.items() if name.startswith("each_")} == {
        "each_one": 1,
        "each_two": 2,
    }


def test_one_bad_item_does_not_stop_the_others(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text(FILE.replace("{name: two, size: 2}", "{name: two, size: none}"))
    result = read_definitions(path, Policy(), environment="prod")
    assert [definition.dag_id for definition in result.definitions] == ["child", "each_one"]
    [problem] = result.problems
    assert (problem.dag_id, problem.code, problem.key) == ("each_two", "wrong-value", "max_active_runs")
