"""Rules on alerts, resources and the conventions of a project."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.dag_lint.helpers import SDK, check, lint, options

from dag_lint import engine
from dag_lint.config import Config, load
from dag_lint.registry import RULES
from dag_lint.selection import selected
from dag_lint.tenant import Tenant
from dag_lint.tenant import load as load_tenants

ROOT = Path(__file__).parents[2]
BASH = SDK + "from airflow.providers.standard.operators.bash import BashOperator\n"
TEAM = "dags/team_data_engineering/ingestion/sales.py"
PREFIXES = Config(team_prefixes={"data_engineering": ["de"]})


@pytest.mark.covers("L-22")
def test_critical_dags_alert() -> None:
    check(
        "L-22",
        SDK
        + """\
from alerts import notify, limit, COMMON
DAG("a", tags=["production"])  # !
DAG("b", tags=["x", "critical"], on_failure_callback=notify)  # !
DAG("c", tags=["production"], on_failure_callback=notify, deadline=limit)
DAG("d", tags=["production"], default_args={"on_failure_callback": notify}, deadline=[limit])
DAG("e", tags=["x"])
DAG("f", tags=["production"], **COMMON)
DAG("g", tags=COMMON)
DAG("h", tags=["production"], default_args=COMMON, deadline=limit)
@dag(tags=["production"], deadline=limit)  # !
def i(): ...
i()
""",
    )


@pytest.mark.covers("L-23")
def test_retries_are_only_logged() -> None:
    check(
        "L-23",
        SDK
        + """\
import logging
from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
from alerts import log_retry, send_slack_alert
log = logging.getLogger(__name__)
def note(context):
    log.info("again %s, email follows at the end", context["ti"])
def shout(context):
    SlackWebhookNotifier(text="x").notify(context)
DAG("a", default_args={"on_retry_callback": SlackWebhookNotifier(text="x")})  # !
DAG("b", default_args={"on_retry_callback": note})
DAG("c", default_args={"on_retry_callback": [note, shout]})  # !
DAG("d", default_args={"on_failure_callback": shout})
DAG("e", default_args={"email_on_retry": True})  # !
DAG("f", default_args={"email_on_retry": False})
DAG("g", default_args={"on_retry_callback": log_retry})
DAG("h", default_args={"on_retry_callback": send_slack_alert})  # !
@task(on_retry_callback=shout)  # !
def i(): ...
with DAG("j"):
    i()
""",
    )


@pytest.mark.covers("L-24", "X-07")
def test_notifiers_are_sent() -> None:
    check(
        "L-24",
        SDK
        + """\
from airflow.providers.slack.notifications.slack import SlackNotifier, send_slack_notification
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.providers.slack.operators.slack_webhook import SlackWebhookOperator
from mylib import send_slack_message
def one(context):
    send_slack_notification(text="x")  # !
def two(context):
    SmtpNotifier(to="x")  # !
def three(context):
    SlackNotifier(text="x").notify(context)
def four(context):
    return SlackNotifier(text="x")
def five(context):
    notifier = SlackNotifier(text="x")
    notifier.notify(context)
def six(context):
    send_slack_message("x")
def seven(context):
    SlackWebhookOperator(task_id="x", message="x")  # !
def eight(context):
    SlackWebhookOperator(task_id="x", message="x").execute(context=context)
def nine():
    print("x")
def ten(channel):
    def inner(context): ...
    return inner
DAG("a", on_failure_callback=[send_slack_notification(text="x"), one, two])
DAG("b", on_failure_callback=seven, on_success_callback=eight)
DAG("c", on_failure_callback=nine())  # !
DAG("d", on_failure_callback=ten("x"))
DAG("e", on_failure_callback=nine)
""",
    )


@pytest.mark.covers("L-25")
def test_pools_are_those_of_the_tenant() -> None:
    tenant = Tenant("ml", "ml", pools={"gpu_pool": 2, "cpu": -1})
    text = BASH + (
        'with DAG("a", default_args={"pool": "gpu_pool"}):\n'
        '    BashOperator(task_id="a", bash_command="x", pool="gpu_poll")  # !\n'
        '    BashOperator(task_id="b", bash_command="x", pool="gpu_pool", pool_slots=2)\n'
        '    BashOperator(task_id="c", bash_command="x", pool="gpu_pool", pool_slots=3)  # !\n'
        '    BashOperator(task_id="d", bash_command="x", pool_slots=4)  # !\n'
        '    BashOperator(task_id="e", bash_command="x", pool="cpu", pool_slots=99)\n'
        '    BashOperator(task_id="f", bash_command="x", pool="default_pool")\n'
        '    BashOperator(task_id="g", bash_command="x", pool=choose())\n'
        'with DAG("b"):\n'
        '    @task(pool="nowhere")  # !\n'
        "    def h(): ...\n"
        "    h()\n"
    )
    check("L-25", text, tenants=[tenant])
    assert not lint(text, "L-25")
    assert not lint(text.replace("gpu_poll", "other"), "L-25", tenants=[])
    both = lint(text, "L-25", tenants=[tenant, Tenant("x", "x", pools={"gpu_poll": 1, "nowhere": 1})])
    assert [finding.line for finding in both] == [6, 7]


@pytest.mark.covers("L-37")
def test_priority_only_for_critical_dags() -> None:
    check(
        "L-37",
        BASH
        + """\
with DAG("a", tags=["x"]):
    BashOperator(task_id="a", bash_command="x", priority_weight=100)  # !
    BashOperator(task_id="b", bash_command="x", priority_weight=1)
    BashOperator(task_id="c", bash_command="x", queue="high_priority")  # !
    BashOperator(task_id="d", bash_command="x", queue="spark")
    BashOperator(task_id="e", bash_command="x", priority_weight=weight())
with DAG("b", tags=["critical"]):
    BashOperator(task_id="a", bash_command="x", priority_weight=100, queue="high_priority")
with DAG("c", tags=TAGS):
    BashOperator(task_id="a", bash_command="x", priority_weight=100)
with DAG("e", tags=["production"]):
    weights = {1: ("x", 10), 2: ("y", 5)}
    for number, (name, weight) in weights.items():
        BashOperator(task_id=f"a_{number}", bash_command=name, priority_weight=weight)  # !
with DAG("d"):
    BashOperator(task_id="a", bash_command="x", priority_weight=5)  # !
""",
    )


@pytest.mark.covers("L-10")
def test_dag_ids_name_team_purpose_and_detail() -> None:
    text = SDK + (
        'DAG("etl")  # !\n'
        'DAG("de_ingest_s3_redshift")\n'
        'DAG("de_ingest_s3_redshift_v2")\n'
        'DAG("De-Ingest-Sales")  # !\n'
        'DAG("ml_train_model")  # !\n'
        'DAG(f"de_{name}")\n'
        'DAG("de_load")  # !\n'
    )
    check("L-10", text, path=TEAM, config=PREFIXES)
    exempt = Config(
        team_prefixes={"data_engineering": ["de"]}, exempt_dag_ids=["etl", "ml_*", "De*", "de_load"]
    )
    assert not lint(text, "L-10", path=TEAM, config=exempt)
    by_tenant = lint(text, "L-10", path="dags/x.py", tenants=[Tenant("t", "ml")])
    assert {finding.line for finding in by_tenant} == {2, 3, 4, 5, 8}


@pytest.mark.covers("L-11")
def test_task_ids_are_verb_and_object() -> None:
    check(
        "L-11",
        BASH
        + """\
with DAG("a"):
    BashOperator(task_id="task1", bash_command="x")  # !
    BashOperator(task_id="my_task", bash_command="x")  # !
    BashOperator(task_id="extractData", bash_command="x")  # !
    BashOperator(task_id="extract-data", bash_command="x")  # !
    BashOperator(task_id="extract_raw_data", bash_command="x")
    BashOperator(task_id="gpu_train_model_1", bash_command="x")
    BashOperator(task_id="customer_data", bash_command="x")  # !
    BashOperator(task_id="extract", bash_command="x")  # !
    BashOperator(task_id="start", bash_command="x")
    BashOperator(task_id=f"load_{name()}", bash_command="x")
    @task
    def python_task(): ...  # !
    python_task()
    @task
    def load_orders(): ...
    load_orders()
    load_orders()
    @task_group
    def training():
        BashOperator(task_id="train", bash_command="x")
        BashOperator(task_id="model", bash_command="x")  # !
    training()
""".replace("    @task\n    def python_task(): ...  # !", "    @task\n    def python_task(): ...  # !"),
    )
    sample = BASH + 'with DAG("a"):\n    BashOperator(task_id="frobnicate_rows", bash_command="x")\n'
    assert lint(sample, "L-11")
    assert not lint(sample, "L-11", config=Config(verbs=["frobnicate"]))
    assert not lint(sample, "L-11", config=Config(exempt_task_ids=["frob*"]))


@pytest.mark.covers("L-12")
def test_dags_have_two_tags() -> None:
    check(
        "L-12",
        SDK
        + """\
DAG("a")  # !
DAG("b", tags=[])  # !
DAG("c", tags=["one"])  # !
DAG("d", tags=["one", "two"])
DAG("e", tags=["one", *more()])
DAG("f", tags=TAGS)
DAG("g", **kwargs())
@dag()  # !
def h(): ...
h()
""",
    )


@pytest.mark.covers("L-13")
def test_owner_folder_prefix_and_tag_are_the_team() -> None:
    check(
        "L-13",
        SDK
        + """\
own = {"owner": "data_engineering"}
DAG("de_a_b", default_args=own, tags=["data_engineering", "x"])
DAG("de_a_c", default_args={"owner": "data-engineering"}, tags=["de"])
DAG("de_a_d", default_args={"owner": "airflow"}, tags=["de"])  # !
DAG("de_a_e", default_args={"owner": "ml"}, tags=["de"])  # !
DAG("de_a_f", default_args=own, tags=["other"])  # !
DAG("ml_a_g", default_args=own, tags=["de"])  # !
DAG("de_a_h", default_args=ARGS, tags=TAGS)
with DAG("de_a_i", tags=["de"]):  # !
    @task
    def f(): ...
    f()
""",
        path=TEAM,
        config=PREFIXES,
    )
    shared = (
        SDK
        + 'DAG("a", default_args={"owner": "platform"})\nDAG("b", default_args={"owner": "airflow"})  # !\n'
    )
    check("L-13", shared, path="dags/platform/x.py")


@pytest.mark.covers("L-14")
def test_variable_names() -> None:
    check(
        "L-14",
        BASH
        + """\
with DAG("a"):
    @task
    def f():
        Variable.get("pw")  # !
        Variable.get("team_analytics_report_day")
        Variable.get("team_analytics_db_password")  # !
        Variable.get("environment")  # !
        Variable.get(name())
        Variable.set("ml_model_threshold", 1)
    BashOperator(task_id="x", bash_command="{{ var.value.day }}")  # !
    BashOperator(task_id="y", bash_command="{{ var.json.ml_pipeline_config.x }}")
""",
    )
    sample = SDK + 'def f():\n    Variable.get("environment")\n'
    assert not lint(sample, "L-14", config=Config(variable_allow=["env*"]))


@pytest.mark.covers("L-19")
def test_files_lie_in_a_team_folder() -> None:
    text = SDK + 'DAG("a")\n'
    assert [finding.line for finding in lint(text, "L-19", path="dags/sales.py")] == [2]
    assert [finding.line for finding in lint(text, "L-19", path="dags/team_ml/sales.py")] == [2]
    assert not lint(text, "L-19", path="dags/team_ml/training/sales.py")
    assert not lint(text, "L-19", path="dags/platform/x.py", config=Config(shared_folders=["platform/*"]))
    assert not lint("x = 1\n", "L-19", path="dags/helper.py")
    other = Config(team_folder=r"^teams/(?P<team>\w+)/(?P<purpose>\w+)/")
    assert not lint(text, "L-19", path="teams/ml/train/x.py", config=other)


@pytest.mark.covers("S000-22")
def test_the_library_s_teams_have_their_folders_and_every_dag_of_theirs_lies_in_one() -> None:
    library = ROOT / "dags"
    folders = {
        "team_data_engineering": {"ingestion", "transformation"},
        "team_analytics": {"reporting", "experiments"},
        "team_ml": {"training", "inference"},
    }
    for team, purposes in folders.items():
        held = {path.parent.name for path in (library / team).glob("*/*.py")}
        assert purposes <= held, team
    assert {path.name for path in library.glob("team_*") if path.is_dir()} == set(folders)
    files = sorted(library.glob("team_*/**/*.py"))
    settings = options({"L-19"}, load(library / "dag-lint.toml"))
    settings.base = settings.root = ROOT
    assert len(files) > 15
    assert engine.lint(files, settings).findings == []


@pytest.mark.covers("X-33")
def test_a_team_is_taken_from_the_tenant_s_own_field_and_never_guessed_from_a_prefix(tmp_path: Path) -> None:
    """`ml_platform_x` begins with `ml_` and is not team ml's; the library's fixed ids belong to no team."""
    text = SDK + (
        'DAG("ml_platform_train_model", default_args={"owner": "ml_platform"}, tags=["ml_platform", "x"])\n'
        'DAG("ml_platform_train_other", default_args={"owner": "ml"}, tags=["ml_platform", "x"])  # !\n'
        'DAG("ml_train_model", default_args={"owner": "ml_platform"}, tags=["ml_platform", "x"])  # !\n'
    )
    check("L-13", text, path="dags/team_ml_platform/training/a.py")
    for tenant_name, team, prefix in (("ml", "ml-platform", "ml_platform"), ("churn", "ml", "ml")):
        file = tmp_path / f"{tenant_name}.yaml"
        file.write_text(
            "apiVersion: airflowtenants.io/v1alpha1\nkind: AirflowTenant\n"
            f"metadata: {{name: {tenant_name}}}\nspec: {{owner: {{team: {team}}}}}\n"
        )
        [tenant] = load_tenants([file])
        assert tenant.prefix == prefix
        found = lint('from airflow.sdk import DAG\nDAG("ml_train_model")\n', "L-10", tenants=[tenant])
        assert bool(found) is (prefix == "ml_platform")
    library = load(ROOT / "dags" / "dag-lint.toml")
    fixed = SDK + 'DAG("phase1_01_hello_airflow")\nDAG("etl_daily_sales")\nDAG("platform_canary")\n'
    path = "dags/team_data_engineering/transformation/a.py"
    assert not lint(fixed, "L-10", path=path, config=library)
    assert len(lint(fixed, "L-10", path=path, config=PREFIXES)) == 3


@pytest.mark.covers("L-20")
def test_dags_are_documented(tmp_path: Path) -> None:
    check(
        "L-20",
        SDK
        + """\
DAG("a")  # !
DAG("b", doc_md="What it does.")
DAG("c", doc_md=__doc__)  # !
DAG("d", **kwargs())
with DAG("e") as e:
    e.doc_md = "What it does."
@dag()
def f():
    "What it does."
f()
@dag()  # !
def g(): ...
g()
""",
        '"""A title."""\n' + SDK + 'DAG("c", doc_md=__doc__)\n',
    )
    folder = tmp_path / "dags" / "team_ml" / "training"
    folder.mkdir(parents=True)
    file = folder / "train.py"
    file.write_text(SDK + 'DAG("ml_train_model", doc_md="x")\n')
    settings = options({"L-20"})
    settings.base = settings.root = tmp_path
    (finding,) = engine.lint([file], settings).findings
    assert finding.path == "dags/team_ml/README.md"
    (tmp_path / "dags/team_ml/README.md").write_text("# ml\n")
    assert not engine.lint([file], settings).findings


@pytest.mark.covers("L-38")
def test_transfers_are_classified_and_audited() -> None:
    check(
        "L-38",
        SDK
        + """\
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.providers.standard.operators.bash import BashOperator
with DAG("a", tags=["x"]):
    S3ToRedshiftOperator(task_id="load", table="x")  # !
with DAG("b", tags=["pii"]):
    S3ToRedshiftOperator(task_id="load", table="x")  # !
with DAG("c", tags=["x"]):
    BashOperator(task_id="hash_pii_columns", bash_command="x")  # !
with DAG("d", tags=["x"]):
    BashOperator(task_id="load_orders", bash_command="x")
""",
        SDK
        + """\
import logging
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
def audit_transfer(context):
    logging.getLogger("audit").info("transfer done")
with DAG("a", tags=["pii"], on_success_callback=audit_transfer):
    S3ToRedshiftOperator(task_id="load", table="x")
with DAG("b", tags=["x"]):
    S3ToRedshiftOperator(task_id="load", table="x")  # !
""",
    )


@pytest.mark.covers("L-18")
def test_dag_ids_are_unique_over_files(tmp_path: Path) -> None:
    for name in ("one/dags/a.py", "one/dags/b.py", "two/dags/c.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SDK + 'DAG("same")\nDAG("own_' + file.stem + '")\n')
    settings = options({"L-18"})
    settings.base = settings.root = tmp_path
    findings = engine.lint(sorted(tmp_path.rglob("*.py")), settings).findings
    assert [(f.path, f.line, f.severity.value) for f in findings] == [
        ("one/dags/b.py", 2, "error"),
        ("two/dags/c.py", 2, "warning"),
    ]
    assert "one/dags/a.py:2" in findings[0].message


@pytest.mark.covers("L-36", "X-34")
def test_the_integrity_test_always_runs(tmp_path: Path) -> None:
    workflow = tmp_path / ".github/workflows/ci.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("steps:\n  - run: pytest\n  - run: pytest --ignore=tests/test_dag_integrity.py\n")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --deselect tests/test_dag_integrity.py::test_x\n"
    )
    (tmp_path / "Makefile").write_text("test:\n\tpytest tests/test_dag_integrity.py --ignore=tests/e2e\n")
    settings = options({"L-36"})
    settings.base = settings.root = tmp_path
    findings = engine.lint([], settings).findings
    assert [(finding.path, finding.line) for finding in findings] == [
        (".github/workflows/ci.yml", 3),
        ("pytest.ini", 2),
    ]


@pytest.mark.covers("L-40")
def test_ci_deploys_and_lints_what_changed(tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "all.yml").write_text(
        "steps:\n  - run: aws s3 sync dags/ s3://b/dags\n  - run: dag-lint dags/\n"
    )
    (folder / "some.yml").write_text(
        "steps:\n  - run: git diff --name-only main -- dags | xargs cp\n  - run: aws s3 sync dags/ s3://b\n"
    )
    (folder / "lint.yml").write_text("steps:\n  - run: dag-lint --changed-since origin/main dags/\n")
    (tmp_path / ".gitlab-ci.yml").write_text("deploy:\n  script:\n    - rsync -a dags/ host:/dags\n")
    settings = options({"L-40"})
    settings.base = settings.root = tmp_path
    findings = engine.lint([], settings).findings
    assert [(finding.path, finding.line) for finding in findings] == [
        (".github/workflows/all.yml", 2), (".github/workflows/all.yml", 3), (".gitlab-ci.yml", 3)
    ]  # fmt: skip


def test_conventions_are_off_by_default_and_on_as_a_group() -> None:
    conventions = {"L-10", "L-11", "L-12", "L-13", "L-14", "L-19", "L-20", "L-37", "L-38", "L-40"}
    assert {rule.id for rule in RULES.values() if rule.convention} == conventions
    assert not selected(Config(), [], []) & conventions
    assert selected(Config(select=["conventions"]), [], []) == conventions
    assert selected(Config(extend_select=["conventions"], ignore=["L-12"]), [], []) == set(RULES) - {"L-12"}
    assert selected(Config(select=["ALL"]), ["L-4"], []) == {"L-04"}
