"""The requests to MLflow, one by one; that a real server takes them is proven with the DAG."""

from __future__ import annotations

import pytest

from tenant_airflow_lib.hooks.mlflow_runs import TAG, ensure_run, upload_model


def play(call, answers):
    """Drive a call with prepared answers; returns its requests and its result."""
    sent = []
    answers = iter(answers)
    try:
        request = next(call)
        while True:
            sent.append(request)
            request = call.send(next(answers))
    except StopIteration as end:
        return sent, end.value


def test_a_run_that_exists_is_found_by_its_tag_and_none_is_made():
    found = {"runs": [{"info": {"run_id": "r-1"}}]}
    sent, result = play(ensure_run("rents", "dag/run"), [{"experiment": {"experiment_id": "7"}}, found])
    assert result == ("7", "r-1")
    assert [request.path.rpartition("mlflow/")[2] for request in sent] == [
        "experiments/get-by-name",
        "runs/search",
    ]
    assert TAG in sent[1].json["filter"]


def test_a_new_run_carries_the_tag_by_which_it_is_found_again():
    answers = [{"experiment": {"experiment_id": "7"}}, {}, {"run": {"info": {"run_id": "r-2"}}}]
    sent, result = play(ensure_run("rents", "dag/run+1"), answers)
    assert result == ("7", "r-2")
    (tag,) = sent[2].json["tags"]
    assert tag["key"] == TAG
    assert tag["value"] in sent[1].json["filter"]


def test_files_go_below_the_folder_of_the_run():
    place = {"run": {"info": {"artifact_uri": "mlflow-artifacts:/7/r-1/artifacts"}}}
    sent, result = play(upload_model("r-1", "model", {"MLmodel": {"a": 1}, "x.json": 2}), [place, {}, {}])
    assert result == "runs:/r-1/model"
    assert [(request.method, request.path, request.json) for request in sent[1:]] == [
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/7/r-1/artifacts/model/MLmodel", {"a": 1}),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/7/r-1/artifacts/model/x.json", 2),
    ]


def test_a_server_that_does_not_serve_artifacts_is_said_to():
    place = {"run": {"info": {"artifact_uri": "s3://bucket/7/r-1"}}}
    with pytest.raises(ValueError, match="s3://bucket"):
        play(upload_model("r-1", "model", {}), [place])
