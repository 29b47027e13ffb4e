"""
# Sensors: waiting for something

Before prices are loaded: the supplier's price list and stock list must be there, all announced rows must have
arrived, and it must be past six. A list of promotions is welcome but not needed.

**What it shows**

| task | sensor | waits by | poke_interval | timeout |
|---|---|---|---|---|
| `wait_for_price_list` | FileSensor | `mode="poke"`: keeps its worker slot | 10 s | 5 min |
| `wait_for_rows` | PythonSensor | `mode="reschedule"`: frees it between pokes | 60 s | 1 h |
| `wait_for_opening` | TimeSensor | `mode="reschedule"` | 300 s | 7 h |
| `wait_for_stock_list` | FileSensor | `deferrable=True`: a coroutine in the triggerer | 60 s | 1 h |
| `wait_for_promotions` | FileSensor | `mode="reschedule"`, `soft_fail=True` | 60 s | 10 min |

After `timeout` a sensor fails (`AirflowSensorTimeout`); with `soft_fail` it is skipped instead, and the load
goes on because its trigger rule is `none_failed`. The default timeout is seven days: always set one.

**When to use it**

Poke for waits of seconds, reschedule for minutes and more, deferrable where a triggerer runs.

**When not**

- The producer is a DAG of the same Airflow: schedule on its asset, nothing has to wait then.
- Files come at any time of the day: let the event start the DAG (an asset with a watcher).

**What to change**

The connection `shop_files` (type File; its path is the base of all file names) and the parameters. Workers
*and* the triggerer must see this path.
"""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pendulum
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.providers.standard.sensors.time import TimeSensor
from airflow.sdk import DAG, Param, task

from airflow_usecases import prices

CONNECTION = "shop_files"
FOLDER = "{{ conn.shop_files.extra_dejson.path }}"


@task(trigger_rule="none_failed")
def load_prices(folder: str, price_list: str) -> int:
    """Count the articles of the price list; stands for the load. Promotions may be missing, nothing else."""
    return prices.count_rows(Path(folder, price_list))


with DAG(
    dag_id="phase3_03_sensors",
    description="File, Python and time sensors: poke, reschedule, deferrable, soft_fail",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=10),
    default_args={
        "owner": "platform",
        "retries": 0,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=15),
    },
    params={
        "price_list": Param("prices.csv", type="string", description="File name below the connection's path"),
        "stock_list": Param("stock.csv", type="string"),
        "promotions": Param("promotions.csv", type="string"),
    },
    tags=["phase3", "sensors"],
):
    wait_for_price_list = FileSensor(
        task_id="wait_for_price_list",
        fs_conn_id=CONNECTION,
        filepath="{{ params.price_list }}",
        mode="poke",
        poke_interval=10,
        timeout=300,
    )
    wait_for_rows = PythonSensor(
        task_id="wait_for_rows",
        python_callable=prices.is_complete,
        op_kwargs={"folder": FOLDER, "name": "{{ params.price_list }}"},
        mode="reschedule",
        poke_interval=60,
        timeout=3600,
    )
    wait_for_opening = TimeSensor(
        task_id="wait_for_opening",
        target_time=time(6, 0),
        mode="reschedule",
        poke_interval=300,
        timeout=7 * 3600,
    )
    wait_for_stock_list = FileSensor(
        task_id="wait_for_stock_list",
        fs_conn_id=CONNECTION,
        filepath="{{ params.stock_list }}",
        deferrable=True,
        poke_interval=60,
        timeout=3600,
    )
    wait_for_promotions = FileSensor(
        task_id="wait_for_promotions",
        fs_conn_id=CONNECTION,
        filepath="{{ params.promotions }}",
        mode="reschedule",
        poke_interval=60,
        timeout=600,
        soft_fail=True,
    )

    load = load_prices(FOLDER, "{{ params.price_list }}")

    wait_for_price_list >> wait_for_rows >> load
    [wait_for_opening, wait_for_stock_list, wait_for_promotions] >> load
