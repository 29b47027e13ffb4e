"""Drift, a challenger, and its four ends."""

from __future__ import annotations

import json

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase18_03_auto_retraining"
TRAINING = {"train_challenger", "validate_challenger", "choose_model"}
RELEASE = {"register_challenger", "stage_shadow", "run_canary", "judge_canary"}
ALWAYS = {"collect_ground_truth", "detect_drift"}
ENDS = {"keep_champion", "alert_bias", "promote_challenger", "roll_back", "alert_rollback"}
ALL = ALWAYS | TRAINING | RELEASE | ENDS


@pytest.fixture
def slack(httpserver, connect):
    """The texts that the webhook got: POST of JSON with `text`, answered by `ok`.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """
    connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/services"), password="T0/B0/key")
    httpserver.expect_request("/services/T0/B0/key", method="POST").respond_with_data("ok")

    def texts():
        assert all(answer.status_code == 200 for _, answer in httpserver.log)
        return [request.get_json()["text"] for request, _ in httpserver.log]

    return texts


@pytest.fixture(autouse=True)
def folder(variable, tmp_path):
    variable("platform_retraining_folder", str(tmp_path))
    return tmp_path


def registry(folder):
    return json.loads((folder / "registry.json").read_text())["churn"]


def traffic(folder):
    return json.loads((folder / "serving.json").read_text())["churn"]


def assert_ran(done, expected):
    assert done.of("success") == expected
    assert done.of("skipped") == ALL - expected
    assert done.state == "success"


@pytest.mark.covers("P18.3")
def test_without_drift_everything_after_the_detection_is_skipped(folder):
    assert_ran(run(DAG_ID, conf={"psi": 0.05}), ALWAYS)
    assert registry(folder)["aliases"] == {"champion": "1"}


@pytest.mark.covers("P18.3")
def test_a_better_challenger_is_promoted(folder):
    done = run(DAG_ID, conf={"psi": 0.3, "true_boundary": 0.65})
    assert_ran(done, ALWAYS | TRAINING | RELEASE | {"promote_challenger"})
    assert registry(folder)["aliases"] == {"champion": "2"}
    assert registry(folder)["versions"][1]["parameters"]["boundary"] == pytest.approx(0.65, abs=0.02)
    assert traffic(folder) == {"2": 100}
    comparison = done.xcom("validate_challenger")
    assert comparison["challenger"] > comparison["champion"] + 0.1


@pytest.mark.covers("P18.3")
def test_a_worse_challenger_leaves_the_champion_alone(folder):
    done = run(DAG_ID, conf={"psi": 0.3, "noise": 0.5})
    assert_ran(done, ALWAYS | TRAINING | {"keep_champion"})
    assert done.xcom("keep_champion") == "1"
    assert registry(folder)["aliases"] == {"champion": "1"}
    assert len(registry(folder)["versions"]) == 1
    assert traffic(folder) == {"1": 100}


@pytest.mark.covers("P18.3")
def test_a_canary_with_errors_is_rolled_back_and_people_are_told(folder, slack):
    done = run(DAG_ID, conf={"psi": 0.3, "true_boundary": 0.65, "canary_errors": 50})
    assert_ran(done, ALWAYS | TRAINING | RELEASE | {"roll_back", "alert_rollback"})
    assert registry(folder)["aliases"] == {"champion": "1"}
    assert traffic(folder) == {"1": 100}
    assert done.xcom("alert_rollback") == {"model": "churn", "champion": "1", "error_rate": 0.05}
    assert slack() == ["churn: rolled back, 50 of 1000 canary requests failed; version 1 serves again"]


def test_a_model_that_lost_accuracy_is_drift_too(folder):
    done = run(DAG_ID, conf={"psi": 0.0, "true_boundary": 0.65})
    assert done.xcom("detect_drift") == "model"
    assert registry(folder)["aliases"] == {"champion": "2"}


@pytest.mark.covers("P18.3")
def test_a_challenger_that_is_worse_for_one_group_raises_the_bias_alert(folder, slack):
    done = run(DAG_ID, conf={"psi": 0.3, "true_boundary": 0.65, "disadvantage": 0.3})
    assert_ran(done, ALWAYS | TRAINING | {"alert_bias"})
    gap = done.xcom("alert_bias")
    assert gap > 0.1
    assert slack() == [
        f"churn: the challenger's accuracy differs by {gap:.2f} between groups (limit 0.10);"
        " the champion stays"
    ]
    assert registry(folder)["aliases"] == {"champion": "1"}


@pytest.mark.covers("P18.3")
def test_the_drift_asset_starts_the_dag():
    condition = bag().dags[DAG_ID].timetable.asset_condition
    assert [asset.uri for asset in condition.objects] == ["x-drift://churn/score"]


def test_an_alert_that_nobody_gets_fails_the_run_after_its_retries(connect, httpserver):
    connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/services"), password="T0/B0/key")
    httpserver.expect_request("/services/T0/B0/key").respond_with_data("no_service", status=404)
    done = run(DAG_ID, conf={"psi": 0.3, "true_boundary": 0.65, "disadvantage": 0.3})
    assert done.state == "failed"
    assert done.of("failed") == {"alert_bias"}
    assert done.tries("alert_bias") == 4


@pytest.mark.covers("G-17", "A-24")
def test_accuracy_drift_and_bias_of_the_model_leave_as_metrics(datagrams, slack):
    done = run(DAG_ID, conf={"psi": 0.3, "true_boundary": 0.65, "disadvantage": 0.4})
    assert done.states["alert_bias"] == "success"
    lines = [line for line in datagrams() if line.startswith("airflow.model.")]
    found = {name: float(value.removesuffix("|g")) for name, value in (line.split(":") for line in lines)}
    assert set(found) == {
        f"airflow.model.{name},model=churn"
        for name in ("accuracy", "accuracy_baseline", "drift_psi", "bias", "bias_limit")
    }
    assert found["airflow.model.drift_psi,model=churn"] == pytest.approx(0.3)
    assert found["airflow.model.accuracy,model=churn"] < found["airflow.model.accuracy_baseline,model=churn"]
    assert found["airflow.model.bias,model=churn"] == pytest.approx(done.xcom("validate_challenger")["bias"])
    assert found["airflow.model.bias,model=churn"] > found["airflow.model.bias_limit,model=churn"]
