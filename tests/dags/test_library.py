"""What holds for every DAG of the library."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from jinja2 import nodes
from tests.dags.catalogue import FILES, PHASES, TEAMS, parent
from tests.dags.home import LIBRARY, ROOT
from tests.dags.library import bag

HERE = Path(__file__).parent
SECTIONS = ("What it shows", "When to use it", "When not", "What to change")
PACKAGES = ("airflow_usecases", "lib", "lint")
DAG_FILES = sorted(
    path for path in LIBRARY.rglob("*.py") if path.relative_to(LIBRARY).parts[0] not in PACKAGES
)


def factory_children() -> set[str]:
    """The DAGs that phase 15 makes out of its definitions."""
    return {dag_id for dag_id, dag in bag().dags.items() if "/phase15/" in dag.fileloc} - FILES.keys()


def own_dags() -> dict[str, str]:
    """dag_id -> file, without helper DAGs and the factory's."""
    children = factory_children()
    return {
        dag_id: str(Path(dag.fileloc).relative_to(LIBRARY))
        for dag_id, dag in bag().dags.items()
        if dag_id not in children and parent(dag_id) == dag_id
    }


@pytest.mark.covers("P00.1")
def test_the_library_holds_exactly_its_dags_in_their_files() -> None:
    assert bag().import_errors == {}
    phases = {dag_id: file for dag_id, file in own_dags().items() if file.startswith("phase")}
    assert phases == FILES
    assert len(phases) == 53
    teams: dict[str, set[str]] = {}
    for dag_id, file in own_dags().items():
        if not file.startswith("phase"):
            teams.setdefault(file, set()).add(dag_id)
    assert teams == TEAMS


@pytest.mark.covers("P00.1")
def test_a_helper_dag_is_named_after_the_dag_of_its_file() -> None:
    for dag_id, dag in bag().dags.items():
        if parent(dag_id) != dag_id:
            assert parent(dag_id) in bag().dags, dag_id
            assert dag.fileloc == bag().dags[parent(dag_id)].fileloc
    assert factory_children(), "the sample definitions give DAGs"
    definitions = yaml.safe_load((LIBRARY / "phase15/configs/dag_definitions.yaml").read_text())
    assert definitions
    assert (LIBRARY / "airflow_usecases.md").is_file()


@pytest.mark.covers("P00.1")
def test_a_file_whose_name_begins_with_digits_is_never_imported_as_a_module() -> None:
    for path in [*LIBRARY.rglob("*.py"), *(ROOT / "tests" / "dags").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            named = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not [name for name in named if re.match(r"(dags\.)?(phase\d|team_|platform\.)", name)], (
                path
            )


@pytest.mark.covers("P00.2")
@pytest.mark.parametrize("dag_id", sorted(bag().dags))
def test_common_settings(dag_id: str) -> None:
    dag = bag().dags[dag_id]
    assert dag.default_args["owner"]
    assert dag.default_args["retries"] >= 0
    assert isinstance(dag.default_args["retry_delay"], timedelta)
    assert isinstance(dag.default_args["execution_timeout"], timedelta)
    assert dag.catchup is False
    assert 1 <= dag.max_active_runs <= 16
    assert dag.dagrun_timeout
    assert dag.start_date is None or dag.start_date.tzinfo
    assert len(dag.tags) >= 2
    phase = re.match(r"phase\d+", dag_id)
    if phase and dag_id in FILES:
        assert phase[0] in dag.tags
    doc = (dag.doc_md or "").strip()
    assert len(doc) > 20
    if dag_id in own_dags():
        assert doc.startswith("# ")
        assert [name for name in SECTIONS if f"**{name}**" not in doc] == []


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_parsing_warns_of_nothing(path: Path) -> None:
    assert path.exists()
    assert [str(w) for w in bag().captured_warnings.get(str(path), ())] == []


def strict(mode: str) -> Any:
    """What `strict_parse.py` says."""
    done = subprocess.run(
        [sys.executable, str(HERE / "strict_parse.py"), str(LIBRARY), mode],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.covers("P00.3")
def test_the_phases_load_with_core_alone() -> None:
    found = strict("core")
    errors = found["errors"]
    assert isinstance(errors, dict)
    assert {file: error for file, error in found["errors"].items() if "phase" in file} == {}
    ids = found["ids"]
    assert isinstance(ids, list)
    assert FILES.keys() <= set(ids)


def test_parsing_touches_no_network_no_database_and_no_program() -> None:
    found = strict("all")
    assert found["errors"] == {}
    assert found["events"] == []


_WITHOUT_AIRFLOW = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("airflow", "tenant_airflow_lib"):
            raise ModuleNotFoundError(f"{name} is refused")
sys.meta_path.insert(0, Refuse())
import airflow_usecases
for found in pkgutil.walk_packages(airflow_usecases.__path__, "airflow_usecases."):
    print(importlib.import_module(found.name).__name__)
"""


@pytest.mark.covers("P00.4")
def test_the_logic_imports_without_airflow() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_AIRFLOW, str(LIBRARY)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.split()) >= 10


@pytest.mark.covers("P00.4")
def test_every_module_of_logic_has_unit_tests() -> None:
    modules = {path.stem for path in (LIBRARY / "airflow_usecases").glob("*.py")} - {"__init__"}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests/dags/usecases").glob("test_*.py")}
    assert modules - tested == set()


@pytest.mark.parametrize("team", ["team_ml", "team_data_engineering", "team_analytics", "platform"])
def test_every_team_folder_has_a_readme(team: str) -> None:
    text = (LIBRARY / team / "README.md").read_text()
    for path in (LIBRARY / team).rglob("*.py"):
        assert path.name in text, path


def test_every_phase_has_its_dags() -> None:
    assert [len(names) for names in PHASES.values()] == [2, 2, 3, 4, 4, 2, 3, 3, 4, 3, 2, 3, 3, 3, 3, 3, 3, 3]


#: What a run without logical date, by hand or by an asset, does not have.
DATED = {
    *("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz"),
    *("logical_date", "data_interval_start", "data_interval_end"),
}


def texts(value: Any) -> Iterator[str]:
    """Every text of a template field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from texts(item)


def falls_back(node: nodes.Node) -> bool:
    return any(found.attr == "run_after" for found in node.find_all(nodes.Getattr))


def bare_dates(text: str) -> set[str]:
    """The dates that a template takes for granted: not beside `run_after` in an `or` or as a default."""
    tree = jinja2.Environment(autoescape=True).parse(text)
    guarded = [node for node in tree.find_all(nodes.Or) if falls_back(node)]
    guarded += [node for node in tree.find_all(nodes.Filter) if node.name == "default" and falls_back(node)]
    safe = {id(inner) for node in guarded for inner in node.find_all((nodes.Name, nodes.Getattr))}
    used = [(node.name, node) for node in tree.find_all(nodes.Name)]
    used += [(node.attr, node) for node in tree.find_all(nodes.Getattr)]
    return {name for name, node in used if name in DATED and id(node) not in safe}


def bare_dates_of_code(path: Path) -> set[str]:
    """The same of Python: arguments of tasks without default, keys of the context, attributes of a run."""
    tree = ast.parse(path.read_text())
    safe = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.BoolOp) and "run_after" in ast.unparse(node)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any("task" in ast.unparse(d) for d in node.decorator_list):
            plain = node.args.args[: len(node.args.args) - len(node.args.defaults)]
            found |= {argument.arg for argument in plain} & DATED
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            found |= {str(node.slice.value)} & DATED
        elif isinstance(node, ast.Attribute) and id(node) not in safe:
            found |= {node.attr} & DATED
    return found


@pytest.mark.covers("X-37")
def test_a_run_without_logical_date_finds_its_day_by_run_after_in_every_dag() -> None:
    assert bare_dates("{{ ds }}") == {"ds"}
    assert bare_dates("{{ ds | default('x') }} {{ dag_run.logical_date }}") == {"ds", "logical_date"}
    assert bare_dates("{{ ds | default(dag_run.run_after | ds) }}") == set()
    templates = {
        (dag_id, task.task_id): text
        for dag_id, dag in bag().dags.items()
        for task in dag.tasks
        for field in task.template_fields
        for text in texts(getattr(task, field, None) or getattr(task, "partial_kwargs", {}).get(field))
        if "{{" in text or "{%" in text
    }
    assert len(templates) > 30
    assert {place: dates for place, text in templates.items() if (dates := bare_dates(text))} == {}
    code = {path.name: dates for path in DAG_FILES if (dates := bare_dates_of_code(path))}
    assert code == {}


@pytest.mark.covers("X-17")
def test_every_branch_is_wired_and_names_only_tasks_that_are_there() -> None:
    from airflow_usecases import ml_decisions

    branches = {
        (dag_id, task.task_id): task.downstream_task_ids
        for dag_id, dag in bag().dags.items()
        for task in dag.tasks
        if "Branch" in task.task_type
    }
    assert len(branches) > 10
    assert {place for place, paths in branches.items() if len(paths) < 2} == set()
    accuracies = [step / 100 for step in range(101)]
    deployments = branches["model_deployment_branching", "evaluate_model"]
    assert {ml_decisions.deployment_for(accuracy) for accuracy in accuracies} == deployments
    watched = branches["model_deployment_branching", "choose_monitoring"]
    assert {name for accuracy in accuracies for name in ml_decisions.monitoring_for(accuracy)} == watched
    cities = bag().dags["dynamic_parallel_tasks"]
    [groups] = cities.get_task("choose_cities").op_args
    assert set(groups) == {"NYC", "LA", "SF"}
    assert {*groups.values(), "report_no_orders"} == branches["dynamic_parallel_tasks", "choose_cities"]
    assert set(groups.values()) <= set(cities.task_ids)
