"""What holds for every DAG of the library."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
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
        [sys.executable, "-c", _WITHOUT_AIRFLOW, str(LIBRARY)], capture_output=True, text=True, timeout=60
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
