"""
# From commit to production in six stages

Lint, test, validate the DAGs, deploy to staging, smoke-test it, and after somebody's approval deploy to
production. A deployment is a `git push` of the commit to the branch that the tenant's Airflow follows.

**What it shows**

- `check_style`: `ruff` checks and formats; one tool instead of pylint, flake8 and black. `run_tests`:
  `pytest` under `coverage`, which fails below the limit. Values reach the shell as environment variables,
  never as text of the command, so nobody who triggers a run can inject one.
- Code that nobody has reviewed gets an environment of its own, an empty home and none of the worker's
  connections and keys: `check_style` and `run_tests` (`append_env=False`) and `validate_dags`, which imports
  each file with `DagBag` in a process of its own.
- `run_smoke_tests` asks staging itself: are its components healthy, does it import all files? The verdict
  is data, and `choose_gate` branches on it: bad news skips production and fails the run in `reject_release`.
- `approve_production` is an `ApprovalOperator`: the run waits for a person (Required Actions in the UI)
  without using a worker. "Reject" skips the deployment. Without an answer for two days it fails.

**When to use it**

Releases that touch systems which only Airflow reaches, or that need an approval with an audit trail.

**When not**

Your Git host has CI: run the first three stages there, on every pull request, before anything is merged.
Also when you do not trust the authors: the stages run as the worker's user, who can read its files and
processes. Then a pod without a service account (`KubernetesPodOperator`) is the place.

**What to change**

The variables `platform_cicd_tools` (folder with ruff and coverage) and `platform_cicd_checkouts` (folder of
the work trees; who triggers a run names one of them, never a path), the connection `airflow_staging`, and the
branches in the params. If staging's bundle has versions, wait in the smoke test until it has the commit.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, Variable, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import release

BRANCH = "^[A-Za-z0-9][A-Za-z0-9._/-]*$"
CHECKOUTS = "/data/checkouts"
CHECKOUT = f"{{{{ var.value.get('platform_cicd_checkouts', '{CHECKOUTS}') }}}}/{{{{ params.checkout }}}}"
TOOLS = {"PATH": "{{ var.value.get('platform_cicd_tools', '/opt/cicd/bin') }}:/usr/local/bin:/usr/bin:/bin"}


def unreviewed(command: str) -> dict[str, Any]:
    """The arguments of a command that runs the checkout's code: it sees PATH and an empty HOME, no secret."""
    return {
        "cwd": CHECKOUT,
        "bash_command": f'HOME="$(mktemp -d)" && trap \'rm -rf "$HOME"\' EXIT && export HOME && {command}',
        "env": TOOLS,
        "append_env": False,
        "retries": 0,
    }


def deployment(branch_param: str) -> dict[str, Any]:
    """The arguments of a push of the commit to a branch: running it twice changes nothing."""
    return {
        "cwd": CHECKOUT,
        "bash_command": 'git push --force-with-lease "$REMOTE" "$COMMIT:refs/heads/$BRANCH"',
        "env": TOOLS
        | {
            "REMOTE": "{{ params.remote }}",
            "COMMIT": "{{ params.commit }}",
            "BRANCH": f"{{{{ params.{branch_param} }}}}",
        },
        "append_env": True,
    }


@task
def validate_dags() -> list[str]:
    """Import all DAG files of the checkout; their DAGs' ids."""
    checkouts = Path(Variable.get("platform_cicd_checkouts", default=CHECKOUTS))
    try:
        return release.parse_dags(checkouts / get_current_context()["params"]["checkout"] / "dags")
    except release.InvalidDags as error:
        raise AirflowFailException(str(error)) from error


@task(retries=3, retry_exponential_backoff=2.0, max_retry_delay=timedelta(minutes=5))
def run_smoke_tests() -> list[str]:
    """Ask staging how it is; its problems."""
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.sdk import BaseHook

    hook = HttpHook(method="GET", http_conn_id="airflow_staging")
    login = BaseHook.get_connection("airflow_staging")
    address = hook.url_from_endpoint("").rstrip("/")
    return release.smoke_problems(address, login.login or "", login.password or "")


@task.branch
def choose_gate(problems: list[str]) -> str:
    """Only a healthy staging may ask for production."""
    return "reject_release" if problems else "approve_production"


@task
def reject_release(problems: list[str]) -> None:
    """Fail the run with the problems of staging."""
    raise AirflowFailException(f"staging: {'; '.join(problems)}")


with DAG(
    dag_id="phase11_02_cicd_patterns",
    description="Lint, test, validate, staging, smoke test, approval, production",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=3),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": timedelta(minutes=20),
    },
    params={
        "checkout": Param(
            "main",
            type="string",
            pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$",
            description="Work tree of the commit: a folder in platform_cicd_checkouts",
        ),
        "commit": Param("0000000", type="string", pattern="^[0-9a-f]{7,40}$"),
        "remote": Param("origin", type="string", pattern=BRANCH),
        "staging_branch": Param("staging", type="string", pattern=BRANCH),
        "production_branch": Param("production", type="string", pattern=BRANCH),
    },
    tags=["phase11", "cicd"],
):
    check_style = BashOperator(task_id="check_style", **unreviewed("ruff check . && ruff format --check ."))
    run_tests = BashOperator(
        task_id="run_tests",
        **unreviewed("coverage run -m pytest tests && coverage report --fail-under=80"),
    )
    deploy_staging = BashOperator(task_id="deploy_staging", **deployment("staging_branch"))
    approve_production = ApprovalOperator(  # dag-lint: ignore[L-06] reason: response_timeout limits the wait
        task_id="approve_production",
        subject="Deploy {{ params.commit }} to production?",
        body="Lint, tests and the smoke test of staging have passed.",
        response_timeout=timedelta(days=2),
        execution_timeout=None,
    )
    deploy_production = BashOperator(task_id="deploy_production", **deployment("production_branch"))

    problems = run_smoke_tests()
    check_style >> run_tests >> validate_dags() >> deploy_staging >> problems
    choose_gate(problems) >> [approve_production, reject_release(problems)]
    approve_production >> deploy_production
