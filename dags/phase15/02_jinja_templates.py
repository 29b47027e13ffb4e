"""
# A DAG rendered for its environment

The same template is three different DAGs: without a schedule in dev, at 5:30 in stage, at 5:00 with one more
table and a final check in prod.

**What it shows**

- `configs/order_export.yaml.j2`: a Jinja template of a definition. A loop makes one task for each table, a
  condition adds the check in prod. `configs/environments.yaml` has the values of each environment.
- The environment comes from the variable `DAG_FACTORY_ENVIRONMENT` of the Airflow that parses the file.
- Environment variables by allow-list: the template may read `ORDER_EXPORT_TARGET` and nothing else; any other
  name is an import error. Templates run in Jinja's sandbox, without files, imports and Python's internals.
- Two kinds of Jinja: `{{ table }}` is replaced now, once for all runs. `runtime("ds")` leaves `{{ ds }}` in
  the definition, and Airflow replaces it in each run.
- Stable output: the same input gives the same text, so the DAG keeps its version. A template with a clock or
  a random number in it would make a new version of the DAG with every parse.

**When to use it**

One pipeline in several installations that differ in schedule, size and targets.

**When not**

- Only values differ: `${vars.name}` and `environments` in plain YAML do that, and every editor understands
  the file. A template is YAML only after it is rendered.
- Secrets: an environment variable ends up in the DAG's code view. Use a connection.

**What to change**

`environments.yaml`; then look at each result with `dag-factory render`.
"""

from __future__ import annotations

from pathlib import Path

from tenant_airflow_lib.factory import Policy, load_dags

CONFIGS = Path(__file__).with_name("configs")

# Airflow imports a file only if it mentions both "airflow" and "dag".
load_dags(
    CONFIGS / "order_export.yaml.j2",
    globals(),
    policy=Policy(callables=("airflow_usecases",), environment_variables=("ORDER_EXPORT_TARGET",)),
    variables=CONFIGS / "environments.yaml",
    doc=__doc__,
)
