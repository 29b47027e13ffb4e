"""From the file to the deployed model, or to the reason why not."""

from __future__ import annotations

import json

import pytest
from tests.dags.runner import run

from airflow_usecases import rent_model

DAG_ID = "phase6_02_complete_ml_pipeline"
BEFORE = {"ingest_rents", "validate_rents", "train_model", "evaluate_model", "decide_deployment"}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "flats.csv").write_text(rent_model.write_flats(rent_model.FLATS))
    return tmp_path


def start(root, **conf):
    return run(DAG_ID, conf={"source": f"file://{root}/flats.csv", "root": f"file://{root}", **conf})


def deployed(root):
    return json.loads((root / "deployed" / "model.json").read_text())


@pytest.mark.covers("P06.2")
def test_a_model_above_the_threshold_is_deployed(root):
    done = start(root, least_r2=0.9)
    assert done.state == "success"
    assert done.of("success") == BEFORE | {"deploy_model"}
    assert done.of("skipped") == {"reject_model"}
    training, kept_back = rent_model.split(rent_model.FLATS)
    model = rent_model.train(training)
    assert deployed(root) == {"model": model.to_json(), "metrics": rent_model.evaluate(model, kept_back)}


@pytest.mark.covers("P06.2")
def test_a_model_below_the_threshold_is_rejected_and_nothing_is_deployed(root):
    done = start(root, least_r2=0.9999)
    assert done.state == "success"
    assert done.of("success") == BEFORE | {"reject_model"}
    assert done.of("skipped") == {"deploy_model"}
    assert done.xcom("reject_model").endswith("is below 1.000")
    assert not (root / "deployed").exists()


@pytest.mark.covers("P06.2")
def test_a_model_that_is_worse_than_the_deployed_one_is_rejected(root):
    (root / "deployed").mkdir()
    better = {"model": {"base": 1, "per_area": 2}, "metrics": {"r2": 0.99999, "mean_error": 1.0}}
    (root / "deployed" / "model.json").write_text(json.dumps(better))
    done = start(root, least_r2=0.9)
    assert done.of("skipped") == {"deploy_model"}
    assert "below the deployed model's 1.000" in done.xcom("reject_model")
    assert deployed(root) == better


@pytest.mark.covers("P06.2")
def test_tasks_pass_paths_and_figures_but_no_rows(root):
    done = start(root)
    folder = root / "runs"
    (run_folder,) = folder.iterdir()
    assert done.xcom("ingest_rents") == f"file://{run_folder}/raw.csv"
    assert done.xcom("validate_rents") == f"file://{run_folder}/valid.csv"
    assert done.xcom("train_model") == {
        "model": f"file://{run_folder}/model.json",
        "kept_back": f"file://{run_folder}/kept_back.csv",
        "training_rows": 9,
    }
    assert set(done.xcom("evaluate_model")) == {"model", "metrics"}


@pytest.mark.covers("P06.2")
def test_bad_data_fails_before_the_training_and_is_not_tried_again(root):
    (root / "flats.csv").write_text("flat,area\nF-1,30\n")
    done = start(root)
    assert done.state == "failed"
    assert done.of("failed") == {"validate_rents"}
    assert done.tries("validate_rents") == 1
    assert done.states["train_model"] == "upstream_failed"


@pytest.mark.covers("P06.2")
def test_the_same_run_works_in_a_bucket(aws, root):
    aws.connection("aws_default", region_name="us-east-1")
    client = aws.client("s3")
    client.create_bucket(Bucket="platform-lake")
    client.upload_file(str(root / "flats.csv"), "platform-lake", "rents/flats.csv")
    done = run(DAG_ID)
    assert done.states["deploy_model"] == "success"
    body = client.get_object(Bucket="platform-lake", Key="rents/deployed/model.json")["Body"].read()
    assert json.loads(body)["metrics"]["r2"] > 0.9
