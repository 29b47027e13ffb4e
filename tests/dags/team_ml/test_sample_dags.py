"""The team's sample DAGs: a model is trained, published and used."""

from __future__ import annotations

import csv
import datetime
import types
from pathlib import Path

import pytest
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor, set_current_context
from tests.dags.library import bag
from tests.dags.runner import run

from airflow_usecases import churn_model

DAY = datetime.datetime(2026, 3, 8, tzinfo=datetime.UTC)


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    """200 customers: short and expensive contracts are left, with some exceptions."""
    file = tmp_path / "customers.csv"
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["customer_id", "tenure", "monthly_charges", "churn"])
        for number in range(200):
            tenure, charges = number * 37 % 60, 20 + number * 17 % 80
            writer.writerow([number, tenure, charges, int((charges > tenure + 40) != (number % 16 == 5))])
    return {"customers": str(file), "model": str(tmp_path / "models" / "churn.json")}


@pytest.mark.covers("D000-9")
def test_a_good_model_is_published_as_an_asset(paths):
    done = run("ml_train_model", conf=paths)
    assert done.states == {"train_model": "success", "publish_model": "success"}
    assert done.xcom("train_model")["accuracy"] >= 0.8
    assert done.xcom("train_model")["rows"] == 160
    model = churn_model.Model.load(Path(paths["model"]))
    assert model.weights["tenure"] < 0 < model.weights["monthly_charges"]
    (outlet,) = bag().dags["ml_train_model"].get_task("publish_model").outlets
    assert outlet.name == "ml_churn_model"


@pytest.mark.covers("D000-9")
def test_a_model_below_the_limit_fails_the_run_and_the_one_in_use_stays(paths):
    old = churn_model.Model(0.5, {}, {}, {})
    old.save(Path(paths["model"]))
    done = run("ml_train_model", conf=paths | {"minimum_accuracy": 0.99})
    assert done.state == "failed"
    assert done.tries("publish_model") == 1
    assert churn_model.Model.load(Path(paths["model"])) == old


@pytest.mark.covers("D000-9")
def test_every_customer_gets_a_score_when_a_model_is_published(paths, tmp_path):
    run("ml_train_model", conf=paths)
    conf = paths | {"scores_folder": str(tmp_path / "scores")}
    done = run("ml_batch_predict", conf=conf, logical_date=None, run_after=DAY)
    assert done.states == {"score_customers": "success", "check_scores": "success"}
    assert done.xcom("check_scores") == 200
    rows = churn_model.read_rows(tmp_path / "scores" / "2026-03-08.csv")
    scores = [float(row["churn_probability"]) for row in rows]
    assert [row["customer_id"] for row in rows] == [str(number) for number in range(200)]
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) > 50


@pytest.mark.covers("D000-9")
def test_the_event_says_which_model_scores_and_a_run_by_hand_takes_the_param(paths, tmp_path):
    run("ml_train_model", conf=paths)
    asset = types.SimpleNamespace(name="ml_churn_model", uri="file:///data/models/churn.json")
    event = types.SimpleNamespace(
        asset=asset, source_aliases=[], timestamp=DAY, extra={"path": paths["model"]}
    )
    elsewhere = {"model": str(tmp_path / "none.json"), "scores_folder": str(tmp_path / "scores")}
    facts = {"params": paths | elsewhere, "dag_run": types.SimpleNamespace(logical_date=None, run_after=DAY)}
    score = bag().dags["ml_batch_predict"].get_task("score_customers").python_callable
    with set_current_context(
        facts | {"triggering_asset_events": TriggeringAssetEventsAccessor.build([event])}
    ):
        assert score()["rows"] == 200
    with (
        set_current_context(facts | {"triggering_asset_events": TriggeringAssetEventsAccessor.build([])}),
        pytest.raises(FileNotFoundError, match=r"none\.json"),
    ):
        score()


@pytest.mark.covers("D000-9")
def test_scoring_is_scheduled_on_the_published_model():
    (asset,) = bag().dags["ml_batch_predict"].timetable.asset_condition.objects
    assert asset.name == "ml_churn_model"


@pytest.mark.covers("D000-9")
@pytest.mark.parametrize(
    ("dag_id", "purpose"), [("ml_train_model", "training"), ("ml_batch_predict", "inference")]
)
def test_folder_tag_and_owner_agree(dag_id, purpose):
    dag = bag().dags[dag_id]
    assert f"team_ml/{purpose}/" in dag.fileloc
    assert {"ml", purpose} <= dag.tags
    assert {task.owner for task in dag.tasks} == {"ml"}
