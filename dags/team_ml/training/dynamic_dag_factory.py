"""
# Three models, one pipeline

Churn every night, fraud every hour, recommendations every week: the same seven tasks, made three times from
`dynamic_dag_factory.yaml`.

**What it shows**

- `for_each` over the list of pipelines: each brings its name, schedule, model, data and features.
- The shape of the pipeline is written once; a task added there is added to all three.
- The file is checked against the factory's schema; a mistake names the line, and the other pipelines go on.

**When to use it**

Pipelines that are alike for good, such as one training per model.

**When not**

When they are only alike today. The second `if` in shared code says that they are two pipelines.

**What to change**

`vars.pipelines`. The steps are the functions in `airflow_usecases/model_pipeline.py`.
"""

from __future__ import annotations

from pathlib import Path

from tenant_airflow_lib.factory import Policy, load_dags

# Airflow imports a file only if it mentions both "airflow" and "dag".
load_dags(
    Path(__file__).with_suffix(".yaml"),
    globals(),
    policy=Policy(callables=("airflow_usecases.model_pipeline",)),
    doc=__doc__,
)
