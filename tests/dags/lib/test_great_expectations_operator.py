"""GreatExpectationsOperator with real Great Expectations projects."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from tests.dags.lib.playing import context, play, rendered, round_trip

from tenant_airflow_lib.operators.great_expectations import (
    LARGEST_XCOM,
    GreatExpectationsOperator,
    fitting,
)

pytestmark = pytest.mark.covers("OP-6")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file context: datasource `shop`, asset `orders` (CSV files), suites `orders` and `strict`."""
    with warnings.catch_warnings():  # its imports use modules that Python deprecates
        warnings.simplefilter("ignore")
        import great_expectations as gx
        from great_expectations import expectations as gxe

    root = tmp_path_factory.mktemp("project")
    data = root / "data"
    data.mkdir()
    (data / "orders_good.csv").write_text("order_id,amount\n1,5\n2,7\n")
    (data / "orders_bad.csv").write_text("order_id,amount\n1,5\n,700\n")
    made = gx.get_context(mode="file", project_root_dir=root)
    made.enable_analytics(False)
    made.variables.progress_bars = {"globally": False}
    made.variables.save()
    asset = made.data_sources.add_pandas_filesystem("shop", base_directory=data).add_csv_asset("orders")
    asset.add_batch_definition_path("good", path="orders_good.csv")
    asset.add_batch_definition_path("bad", path="orders_bad.csv")
    one = made.data_sources.get("shop").add_csv_asset("single")
    one.add_batch_definition_path("only", path="orders_good.csv")
    made.suites.add(
        gx.ExpectationSuite(
            name="orders",
            expectations=[
                gxe.ExpectColumnValuesToNotBeNull(column="order_id"),
                gxe.ExpectColumnValuesToBeBetween(column="amount", min_value=0, max_value=100),
                gxe.ExpectTableRowCountToBeBetween(min_value=1),
            ],
        )
    )
    return root / "gx"


def operator(project: Path | None, batch: str = "good", **arguments: Any) -> GreatExpectationsOperator:
    values: dict[str, Any] = {
        "task_id": "validate",
        "context_root_dir": project and str(project),
        "datasource_name": "shop",
        "data_asset_name": "orders",
        "expectation_suite_name": "orders",
        "batch_request": {"batch_definition": batch},
    }
    return GreatExpectationsOperator(**(values | arguments))


def test_the_result_is_gx_own_json(project: Path) -> None:
    found = operator(project).execute(context())
    assert isinstance(found, dict)
    assert found["success"] is True
    assert found["statistics"]["successful_expectations"] == 3
    assert json.loads(json.dumps(found)) == found


def test_a_violated_suite_fails_at_once_and_names_the_rules(project: Path) -> None:
    with pytest.raises(AirflowFailException) as raised:
        operator(project, "bad").execute(context())
    message = str(raised.value)
    assert "expect_column_values_to_not_be_null(order_id)" in message
    assert "expect_column_values_to_be_between(amount)" in message
    assert "row_count" not in message


def test_with_the_flag_off_the_task_is_green_and_the_answer_false(project: Path) -> None:
    found = operator(project, "bad", fail_task_on_validation_failure=False).execute(context())
    assert isinstance(found, dict)
    assert found["success"] is False
    assert "700" not in json.dumps(found["results"])  # counts, not values
    flags = {"fail_task_on_validation_failure": False, "return_json_dict": False}
    assert operator(project, "bad", **flags).execute(context()) is False
    assert operator(project, "good", **flags).execute(context()) is True


def test_an_asset_with_one_batch_definition_needs_no_request(project: Path) -> None:
    single = {"data_asset_name": "single", "batch_request": None, "return_json_dict": False}
    assert operator(project, **single).execute(context()) is True
    with pytest.raises(AirflowFailException, match=r"\['good', 'bad'\]: name one in batch_request"):
        operator(project, batch_request=None).execute(context())


@pytest.mark.parametrize(
    "wrong",
    [
        {"datasource_name": "nope"},
        {"data_asset_name": "nope"},
        {"expectation_suite_name": "nope"},
        {"batch_request": {"batch_definition": "nope"}},
    ],
    ids=["datasource", "asset", "suite", "batch"],
)
def test_what_does_not_exist_fails_at_once(project: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="nope"):
        operator(project, **wrong).execute(context())


def test_wrong_arguments_are_errors_at_once() -> None:
    with pytest.raises(ValueError, match="context_root_dir"):
        operator(None)
    with pytest.raises(ValueError, match="unknown batch_spec"):
        operator(Path("gx"), batch_request={"batch_spec": {}})


def test_without_the_package_the_task_fails_with_the_extra_to_install(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    with pytest.raises(AirflowFailException, match=r"tenant-airflow-lib\[great-expectations\]"):
        operator(project).execute(context())


def test_a_result_of_more_than_48_kb_is_cut_to_a_summary() -> None:
    def result(count: int) -> dict[str, Any]:
        one = {
            "success": False,
            "expectation_config": {"type": "expect_column_to_exist", "kwargs": {"column": "c" * 100}},
        }
        return {"success": False, "statistics": {"evaluated_expectations": count}, "results": [one] * count}

    assert fitting(result(10), "s") == result(10)
    cut = fitting(result(3000), "s")
    assert len(json.dumps(cut)) < LARGEST_XCOM
    assert (cut["success"], cut["suite"], cut["truncated"]) == (False, "s", True)
    assert cut["statistics"] == {"evaluated_expectations": 3000}
    assert cut["violated"][0].startswith("expect_column_to_exist(ccc")


def test_template_fields_are_attributes_rendered_and_stored(project: Path) -> None:
    task = operator(project, "{{ x }}", expectation_suite_name="{{ x }}")
    assert tuple(task.template_fields) == ("batch_request", "expectation_suite_name")
    stored = round_trip(task)
    assert stored.task_type == "GreatExpectationsOperator"
    assert tuple(stored.template_fields) == tuple(task.template_fields)
    rendered(task, x="7")
    assert (task.batch_request, task.expectation_suite_name) == ({"batch_definition": "7"}, "7")


def test_a_dag_validates_two_batches_and_only_the_bad_one_fails(project: Path) -> None:
    done = play(
        "op6",
        f"""
        from tenant_airflow_lib.operators.great_expectations import GreatExpectationsOperator
        for batch in ("good", "bad"):
            GreatExpectationsOperator(task_id=batch, context_root_dir="{project}", datasource_name="shop",
                data_asset_name="orders", expectation_suite_name="{{{{ dag_run.conf.suite }}}}", retries=2,
                batch_request={{"batch_definition": batch}})
        """,
        {"suite": "orders"},
    )
    assert done.states == {"good": "success", "bad": "failed"}
    assert done.tries("bad") == 1
    assert done.xcom("good")["success"] is True
