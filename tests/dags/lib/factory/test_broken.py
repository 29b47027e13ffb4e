"""One broken definition: the others stay on the schedule, and people see an import error."""

from __future__ import annotations

import json

import pytest
import structlog
from tests.dags.library import parse

GOOD = "  - {dag_id: good_one, tasks: [{id: extract, operator: empty}]}\n"
BROKEN = "  - {dag_id: broken_one, tasks: [{id: extract, operator: nothing}]}\n"
DAG_FILE = """\
from pathlib import Path

from tenant_airflow_lib.factory import Policy, load_dags  # airflow dag

load_dags(Path(__file__).with_name("configs") / "dags.yaml", globals(), policy=Policy())
"""


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "team" / "configs").mkdir(parents=True)
    (tmp_path / "team" / "factory.py").write_text(DAG_FILE)
    write(tmp_path, GOOD + BROKEN)
    return tmp_path


def write(bundle, dags):
    (bundle / "team" / "configs" / "dags.yaml").write_text("format: 1\ndags:\n" + dags)


def processed(bundle, monkeypatch):
    """What the DAG processor reports of the file, by its own function."""
    from airflow.dag_processing.processor import DagFileParseRequest, _parse_file
    from airflow.sdk.execution_time import task_runner

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    request = DagFileParseRequest(
        file=str(bundle / "team" / "factory.py"), bundle_path=bundle, bundle_name="library"
    )
    return _parse_file(request, structlog.get_logger())


def test_a_dagbag_has_the_good_dag_and_the_error(bundle):
    found = parse(bundle / "team" / "factory.py", bundle)
    assert set(found.dags) == {"good_one"}
    [error] = found.import_errors.values()
    assert "configs/dags.yaml:4:" in error
    assert "unknown-operator: broken_one: tasks[0].operator" in error


def test_the_dag_processor_reports_the_error_under_the_definition_file(bundle, monkeypatch):
    result = processed(bundle, monkeypatch)
    assert [dag.dag_id for dag in result.serialized_dags] == ["good_one"]
    [(file, error)] = result.import_errors.items()
    assert file == "team/configs/dags.yaml"
    assert "unknown-operator: broken_one: tasks[0].operator" in error


def test_in_the_database_the_good_dag_is_active_and_the_error_is_there(bundle, monkeypatch):
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session

    result = processed(bundle, monkeypatch)
    monkeypatch.undo()
    errors = {("library", file): error for file, error in result.import_errors.items()}
    with create_session() as session:
        session.merge(DagBundleModel(name="library"))
        session.flush()
        update_dag_parsing_results_in_db(
            bundle_name="library",
            bundle_version=None,
            version_data=None,
            dags=result.serialized_dags,
            import_errors=errors,
            parse_duration=None,
            warnings=set(),
            session=session,
            files_parsed={("library", "team/factory.py"), *errors},
        )
        session.flush()
        good = session.get(DagModel, "good_one")
        assert (good.is_stale, good.has_import_errors) == (False, False)
        [stored] = session.query(ParseImportError).filter_by(filename="team/configs/dags.yaml")
        assert "unknown-operator" in stored.stacktrace
        session.rollback()


def test_when_the_definition_is_repaired_there_is_no_error(bundle, monkeypatch):
    write(bundle, GOOD + BROKEN.replace("nothing", "empty"))
    result = processed(bundle, monkeypatch)
    assert {dag.dag_id for dag in result.serialized_dags} == {"good_one", "broken_one"}
    assert result.import_errors == {}


def test_the_serializer_of_this_airflow_refuses_the_carrier_of_the_problems(bundle, monkeypatch):
    """With another Airflow: see that this test is green without the version, and only then change it."""
    from airflow.sdk.execution_time import task_runner
    from airflow.serialization.serialized_objects import DagSerialization

    import airflow
    from tenant_airflow_lib.factory import DefinitionError, Policy, load_dags
    from tenant_airflow_lib.factory.broken import BrokenDefinitions

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    namespace = {}
    load_dags(bundle / "team" / "configs" / "dags.yaml", namespace, policy=Policy())
    [broken] = [value for value in namespace.values() if isinstance(value, BrokenDefinitions)]
    broken.validate()
    with pytest.raises(Exception, match="unknown-operator: broken_one") as refused:
        DagSerialization.to_dict(broken)
    chain = [refused.value, refused.value.__cause__, refused.value.__context__]
    assert any(isinstance(link, DefinitionError) for link in chain)
    assert airflow.__version__ == "3.3.2"


@pytest.mark.parametrize("path", ["team/", "elsewhere/"])
def test_a_team_policy_does_not_hide_the_problems_nor_take_the_good_dags(bundle, monkeypatch, path):
    from airflow import settings
    from tenant_airflow_lib.policy import RULES_VARIABLE, dag_policy

    rules = [{"team": "a", "path": "configs/", "prefix": "no_"}, {"team": "b", "path": "", "prefix": "good_"}]
    monkeypatch.setenv(RULES_VARIABLE, json.dumps(rules if path == "team/" else rules[1:]))
    monkeypatch.setattr(settings, "dag_policy", dag_policy)
    result = processed(bundle, monkeypatch)
    assert [dag.dag_id for dag in result.serialized_dags] == ["good_one"]
    [(file, error)] = result.import_errors.items()
    assert file == "team/configs/dags.yaml"
    assert "unknown-operator: broken_one: tasks[0].operator" in error


def test_a_file_that_is_no_yaml_makes_no_dag_and_an_error(bundle, monkeypatch):
    write(bundle, GOOD + "  - [")
    result = processed(bundle, monkeypatch)
    assert result.serialized_dags == []
    assert "yaml-syntax" in result.import_errors["team/configs/dags.yaml"]
