"""
# A/B test with a rollout of the winner

Half of the customers see recommendations of a new model. After the run, either everybody gets the winner, or
nothing changes.

**What it shows**

- An experiment as configuration: name, split, accepted risk, smallest number of units.
- A split by hash: the same customer always gets the same variant, without a table of assignments, and
  another experiment splits differently. `check_split` fails when the halves are not what they should be:
  then units are lost somewhere, and every later number is wrong.
- Significance by a two-proportion z test; with scipy where it is installed, else with the standard
  library.
- A branch on the result: `roll_out_treatment`, `roll_out_control` (the treatment does harm) or
  `keep_both`.

**When to use it**

A decision between two variants, one measure that counts, and enough traffic for the effect that matters.

**When not**

- Looking every day and stopping at the first good day: this test is for a number of units fixed before.
- Effects on each other, as in a marketplace: units are not independent there.

**What to change**

`count_outcomes`: read your outcomes instead of `simulated`. `set_flag`: your service of feature flags.
The flags are in the file that the Variable `platform_experiment_flags` names. To see both ends, trigger
with `{"effect": 0.05}` and with `{"effect": 0}`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import Param, dag, get_current_context, task

from airflow_usecases import experiments
from airflow_usecases.experiments import CONTROL, TREATMENT, Experiment

if TYPE_CHECKING:
    from airflow_usecases.experiments import Counts, Result

FLAGS = "{{ var.value.platform_experiment_flags }}"  # an argument: rendered when the task runs
EXPERIMENT = Experiment("new_recommender", split=0.5, alpha=0.01)


@task(multiple_outputs=False)
def count_outcomes() -> dict[str, Counts]:
    """Assign every customer and count conversions; only the counts go on."""
    params = get_current_context()["params"]
    units = (f"customer-{number}" for number in range(params["units"]))
    outcome = experiments.simulated(EXPERIMENT, params["baseline"], params["effect"])
    return experiments.count(EXPERIMENT, units, outcome)


@task
def check_split(counts: dict[str, Counts]) -> float:
    """Fail when the split is off by more than one percent."""
    return experiments.check_split(EXPERIMENT, counts)


@task(multiple_outputs=False)
def analyse_result(counts: dict[str, Counts]) -> Result:
    """Rates, difference and p value."""
    return experiments.analyse(counts[CONTROL], counts[TREATMENT])


@task.branch
def choose_winner(counts: dict[str, Counts], result: Result) -> str:
    """The task that acts on the result."""
    won = experiments.winner(EXPERIMENT, counts, result)
    return f"roll_out_{won}" if won else "keep_both"


@task(multiple_outputs=False)
def roll_out(variant: str, flags: str) -> dict[str, str]:
    """Give everybody the winner; `flags` is the path of the file with the feature flags."""
    return experiments.set_flag(Path(flags), EXPERIMENT.name, variant)


@task
def keep_both() -> str:
    """Nothing changes; the experiment may go on with more units."""
    return EXPERIMENT.name


@task(trigger_rule="none_failed_min_one_success", multiple_outputs=False)
def report_result(result: Result) -> dict[str, Any]:
    """The figures for the log book, whatever was decided."""
    return {"experiment": EXPERIMENT.name, **result}


@dag(
    dag_id="phase18_02_ab_testing",
    description="Deterministic split, significance test, rollout of the winner",
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
        "units": Param(10_000, type="integer", minimum=1, maximum=1_000_000, description="Customers"),
        "baseline": Param(
            0.10, type="number", minimum=0, maximum=1, description="Conversion rate of control"
        ),
        "effect": Param(
            0.02, type="number", minimum=-1, maximum=1, description="What the treatment adds to the rate"
        ),
    },
    tags=["phase18", "experiments"],
)
def ab_testing() -> None:
    """Wire the tasks; runs at parse time."""
    counts = count_outcomes()
    result = analyse_result(counts)
    check_split(counts) >> result
    actions = [
        roll_out.override(task_id="roll_out_treatment")(TREATMENT, FLAGS),
        roll_out.override(task_id="roll_out_control")(CONTROL, FLAGS),
        keep_both(),
    ]
    choose_winner(counts, result) >> actions >> report_result(result)


ab_testing()
