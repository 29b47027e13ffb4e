"""One definition, a DAG for each tenant; and one DAG with a task for each tenant."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime

import pytest
import yaml
from tests.dags.home import LIBRARY
from tests.dags.library import bag, parse
from tests.dags.runner import run

from airflow_usecases import tenant_usage

FILE = LIBRARY / "phase15" / "03_dynamic_dag_patterns.py"
TENANTS = {
    "acme": ("tenant_acme", "15 1 1 * *", "144.00", "EUR"),
    "globex": ("tenant_globex", "30 1 1 * *", "112.50", "USD"),
    "initech": ("tenant_initech", "45 1 1 * *", "8.10", "USD"),
}
LINE = ["read_usage", "price_usage", "check_invoice", "deliver_invoice"]


@pytest.mark.covers("P15.3")
def test_n_tenants_give_n_dags_with_the_tenants_prefix():
    found = parse(FILE, LIBRARY)
    assert found.import_errors == {}
    assert set(found.dags) == {
        "phase15_03_dynamic_dag_patterns",
        *(f"{tenant}_usage_report" for tenant in TENANTS),
    }


@pytest.mark.covers("P15.3")
@pytest.mark.parametrize("tenant", TENANTS)
def test_a_tenants_dag_has_its_own_pool_tag_and_schedule(tenant):
    pool, schedule, _, _ = TENANTS[tenant]
    dag = bag().dags[f"{tenant}_usage_report"]
    assert {task.pool for task in dag.tasks} == {pool}
    assert [tag for tag in dag.tags if tag.startswith("tenant:")] == [f"tenant:{tenant}"]
    assert dag.schedule == schedule
    assert set(dag.task_ids) == set(LINE)
    for task, following in itertools.pairwise(LINE):
        assert dag.get_task(task).downstream_task_ids == {following}


@pytest.mark.covers("P15.3")
@pytest.mark.parametrize("tenant", TENANTS)
def test_nothing_of_a_tenants_dag_names_another_tenant(tenant):
    from airflow.serialization.serialized_objects import DagSerialization

    stored = json.dumps(DagSerialization.to_dict(bag().dags[f"{tenant}_usage_report"]))
    assert tenant in stored
    assert not [other for other in TENANTS if other != tenant and other in stored]


@pytest.mark.covers("P15.3")
@pytest.mark.parametrize("tenant", TENANTS)
def test_a_tenants_run_sees_and_delivers_its_own_data_only(tenant):
    done = run(f"{tenant}_usage_report", conf={"month": "2026-10"})
    assert done.states == dict.fromkeys(LINE, "success")
    invoice = done.xcom("check_invoice")
    assert (invoice["tenant"], invoice["total"], invoice["currency"]) == (tenant, *TENANTS[tenant][2:])
    assert done.xcom("deliver_invoice") == f"{tenant}/2026-10"
    for task in LINE:
        seen = json.dumps(done.xcoms(task))
        assert not [other for other in TENANTS if other != tenant and other in seen]


@pytest.mark.covers("P15.3")
def test_an_invoice_never_reaches_another_tenant():
    usage = tenant_usage.read_usage("acme", "2026-10")
    with pytest.raises(ValueError, match="acme must not reach globex"):
        tenant_usage.deliver_invoice(tenant_usage.price_usage(usage, "0.12", "EUR"), "globex")


@pytest.mark.covers("P15.3")
def test_a_fourth_tenant_gives_a_fourth_dag(tmp_path):
    from tenant_airflow_lib.factory import Policy, load_dags

    definitions = yaml.safe_load((FILE.parent / "configs" / "tenants.yaml").read_text())
    definitions["vars"]["tenants"].append(
        {"tenant": "umbrella", "pool": "p", "schedule": "@daily", "currency": "GBP", "price": "1"}
    )
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump(definitions))
    dags = load_dags(path, {}, policy=Policy(callables=("airflow_usecases",)))
    assert list(dags) == [*(f"{tenant}_usage_report" for tenant in TENANTS), "umbrella_usage_report"]


def test_the_mapped_dag_does_the_same_work_in_one_run():
    done = run("phase15_03_dynamic_dag_patterns", logical_date=datetime(2026, 11, 1, 1, 15, tzinfo=UTC))
    assert done.mapped("report_usage") == 3
    totals = {
        invoice["tenant"]: invoice["total"]
        for index in range(3)
        if (invoice := done.xcom("report_usage", map_index=index))
    }
    assert totals == {tenant: values[2] for tenant, values in TENANTS.items()}
    assert done.tasks["report_usage[0]"].rendered_map_index == "acme"
    assert done.xcom("count_invoices") == 3


@pytest.mark.parametrize("dag_id", ["phase15_03_dynamic_dag_patterns", "acme_usage_report"])
@pytest.mark.parametrize("month", ["2026-13", "26-10", "", 202610])
def test_a_month_that_is_none_is_refused_before_a_run(dag_id, month):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        bag().dags[dag_id].params.get_param("month").resolve(value=month)


@pytest.mark.covers("P15.3")
@pytest.mark.parametrize(
    ("day", "month", "calls"),
    [((2026, 10, 1), "2026-09", 900), ((2026, 11, 1), "2026-10", 1200), ((2027, 1, 1), "2026-12", 0)],
)
def test_a_scheduled_run_invoices_the_month_before_it(day, month, calls):
    done = run("acme_usage_report", logical_date=datetime(*day, 1, 15, tzinfo=UTC))
    assert done.states == dict.fromkeys(LINE, "success")
    invoice = done.xcom("check_invoice")
    assert (invoice["month"], invoice["calls"]) == (month, calls)


def test_each_month_has_one_scheduled_run():
    from croniter import croniter

    for dag_id in (f"{tenant}_usage_report" for tenant in TENANTS):
        runs = croniter(bag().dags[dag_id].schedule, datetime(2026, 1, 15, tzinfo=UTC))
        months = [runs.get_next(datetime).month for _ in range(12)]
        assert months == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1]


@pytest.mark.parametrize("dag_id", ["phase15_03_dynamic_dag_patterns", "acme_usage_report"])
def test_a_run_may_be_without_a_month(dag_id):
    assert bag().dags[dag_id].params.get_param("month").resolve(value=None) is None


@pytest.mark.parametrize("dag_id", ["phase15_03_dynamic_dag_patterns", "acme_usage_report"])
def test_a_run_without_a_date_reports_the_month_before_it_was_due(dag_id):
    done = run(dag_id, logical_date=None, run_after=datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))
    index = {"map_index": 0} if dag_id.startswith("phase15") else {}
    assert done.xcom("report_usage" if index else "check_invoice", **index)["month"] == "2026-09"
