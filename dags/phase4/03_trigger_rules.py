"""
# Trigger rules: when a task runs, judged by its upstream tasks

Two loads end as you wish; twelve tasks wait for both, each by another rule, and a teardown waits by the
thirteenth.

**What it shows**

Column: how `load_orders` and `load_stock` ended. Cell: what becomes of a task that waits for both.
S success (it runs), F failed, K skipped, U upstream_failed.

| rule | S S | S F | F F | S K | K K | F K | S U | K U | F U |
|---|---|---|---|---|---|---|---|---|---|
| all_success | S | U | U | K | K | U | U | U | U |
| all_failed | K | K | S | K | K | K | K | K | S |
| all_done | S | S | S | S | S | S | S | S | S |
| all_done_min_one_success | S | S | U | K | K | K | S | K | U |
| one_success | S | S | U | S | K | U | S | U | U |
| one_failed | K | S | S | K | K | S | S | S | S |
| one_done | S | S | S | S | K | S | S | K | S |
| none_failed | S | U | U | S | S | U | U | U | U |
| none_failed_min_one_success | S | U | U | S | K | U | U | U | U |
| none_skipped | S | S | S | K | K | K | S | K | S |
| always | S | S | S | S | S | S | S | S | S |
| all_skipped | K | K | K | K | S | K | K | K | K |

`all_done_setup_success` is the rule of teardowns: `close_staging` runs after the loads, however they
ended, if its setup `open_staging` succeeded. `one_success`, `one_failed` and `one_done` do not wait for
the slower load, `always` waits for none. `all_done_min_one_success` does not count a skipped task as
done.

A task that runs in spite of a failure hides it: a run's state is that of its last tasks. `watch_failures`
therefore comes after everything, runs on the first failure and fails: so does the run.

**When to use it**

`none_failed_min_one_success` for joins after branches, `none_failed` after optional steps, `one_failed`
for watchers, a teardown to clean up. The rest is rarely needed.

**When not**

To be told of failures: `on_failure_callback`. To clean up: `all_done` hides failures, a teardown does not.

**What to change**

Trigger with `{"orders": "failed", "stock": "skipped"}` and the like, and compare the graph with the table.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, get_current_context, setup, task, teardown
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases.outcomes import end_as

RULES = (
    "all_success",
    "all_failed",
    "all_done",
    "all_done_min_one_success",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "always",
    "all_skipped",
)


@setup
def open_staging() -> str:
    """Make a place for the loads; ends as the parameter `staging` says."""
    return end_as(get_current_context()["params"]["staging"])


@task
def fetch_stock() -> str:
    """Fails if the load of stock shall be `upstream_failed`."""
    return end_as("failed" if get_current_context()["params"]["stock"] == "upstream_failed" else "success")


@task
def load_table(table: str) -> str:
    """Ends as the parameter of that table says."""
    return end_as(get_current_context()["params"][table])


@teardown
def close_staging() -> str:
    """Remove the place again."""
    return "removed"


@task(trigger_rule="one_failed", retries=0)
def watch_failures() -> None:
    """Fail if anything failed, so that no task that ran nevertheless can hide it."""
    raise AirflowFailException("a task of this run failed")


with DAG(
    dag_id="phase4_03_trigger_rules",
    description="All thirteen trigger rules side by side, and a watcher that lets no failure hide",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "staging": Param("success", enum=["success", "failed", "skipped"]),
        "orders": Param("success", enum=["success", "failed", "skipped"]),
        "stock": Param("success", enum=["success", "failed", "skipped", "upstream_failed"]),
    },
    tags=["phase4", "trigger_rules"],
):
    staging = open_staging()
    fetched = fetch_stock()
    loads = [
        load_table.override(task_id="load_orders")("orders"),
        load_table.override(task_id="load_stock")("stock"),
    ]
    followers = [EmptyOperator(task_id=f"run_if_{rule}", trigger_rule=rule) for rule in RULES]
    watcher = watch_failures()

    staging >> loads
    fetched >> loads[1]
    loads >> close_staging().as_teardown(setups=staging)
    for follower in followers:
        loads >> follower >> watcher
    [*loads, fetched] >> watcher
