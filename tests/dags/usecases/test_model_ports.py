"""The adapters, against a real MLflow server and against the documented calls of the clouds.

SageMaker: botocore's own model of the service checks the requests (DescribeEndpoint and
UpdateEndpointWeightsAndCapacities, which leaves variants that it does not name).
Vertex AI: Endpoint.list_models and .update(traffic_split=...) of google.cloud.aiplatform's reference.
KServe: a merge patch of InferenceService v1beta1, spec.predictor.canaryTrafficPercent of its documentation:
the newest revision's share; 0 pins all to the last good revision, without the field the newest is promoted.
"""

from __future__ import annotations

import datetime
import types
import uuid

import pytest

from airflow_usecases.model_ports import KServeServing, MLflowRegistry, SageMakerServing, VertexServing
from airflow_usecases.retraining import FileRegistry

# what the retraining does to an endpoint that has the versions 1 and 2
SHADOW, CANARY, PROMOTED, BACK = {"1": 100, "2": 0}, {"1": 90, "2": 10}, {"2": 100}, {"1": 100}


@pytest.fixture(params=["file", "mlflow"])
def registry(request, tmp_path):
    """Both registries: they keep the same promises."""
    if request.param == "file":
        return FileRegistry(tmp_path / "registry.json")
    request.getfixturevalue("mlflow").connection("mlflow_default")
    return MLflowRegistry()


@pytest.fixture
def model():
    return f"churn-{uuid.uuid4().hex}"


@pytest.mark.covers("P18.3")
def test_a_run_registers_one_version_whatever_came_between(registry, model):
    assert registry.register(model, {"boundary": 0.5, "accuracy": 1.0}, run="dag/first") == "1"
    assert registry.register(model, {"boundary": 0.5, "accuracy": 1.0}, run="dag/second") == "2"
    assert registry.register(model, {"boundary": 0.5, "accuracy": 1.0}, run="dag/first") == "1"


@pytest.mark.covers("P18.3")
def test_a_version_has_its_parameters(registry, model):
    first = registry.register(model, {"boundary": 0.5, "accuracy": 1.0}, run="1")
    second = registry.register(model, {"boundary": 0.65, "accuracy": 0.1 + 0.2}, run="2")
    assert registry.parameters_of(model, first) == {"boundary": 0.5, "accuracy": 1.0}
    assert registry.parameters_of(model, second) == {"boundary": 0.65, "accuracy": 0.1 + 0.2}
    with pytest.raises(KeyError, match="no version 3"):
        registry.parameters_of(model, "3")


@pytest.mark.covers("P18.3")
def test_an_alias_points_to_one_version(registry, model):
    assert registry.version_of(model, "champion") is None
    registry.delete_alias(model, "champion")
    first, second = (registry.register(model, {"boundary": 0.5}, run=run) for run in ("1", "2"))
    assert registry.version_of(model, "champion") is None
    registry.set_alias(model, "champion", first)
    registry.set_alias(model, "champion", second)
    assert registry.version_of(model, "champion") == second
    with pytest.raises(KeyError, match="no version 3"):
        registry.set_alias(model, "champion", "3")
    assert registry.version_of(model, "champion") == second
    registry.delete_alias(model, "champion")
    registry.delete_alias(model, "champion")
    assert registry.version_of(model, "champion") is None


def test_an_alias_of_a_model_that_is_not_there_is_an_error(registry, model):
    with pytest.raises(KeyError, match="no version 1"):
        registry.set_alias(model, "champion", "1")


def test_an_mlflow_version_points_to_what_its_run_stored(mlflow, model):
    from tenant_airflow_lib.hooks.mlflow import MLflowHook, get_model_version, get_run
    from tenant_airflow_lib.hooks.rest import Request

    mlflow.connection("mlflow_default")
    version = MLflowRegistry().register(model, {"boundary": 0.5}, run="dag/first")

    def stored():
        found = yield from get_model_version(model, version)
        assert found["source"] == f"runs:/{found['run_id']}/model"
        run = yield from get_run(found["run_id"])
        assert run["info"]["status"] == "FINISHED"
        path = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/").lstrip("/")
        return (yield Request("GET", f"/api/2.0/mlflow-artifacts/artifacts/{path}/model/model.json"))

    assert MLflowHook("mlflow_default").run(stored()) == {"boundary": 0.5}


@pytest.fixture
def sagemaker():
    """A client whose endpoint has the variants v1 and v2, and what checks its calls."""
    import boto3
    from botocore.stub import Stubber

    client = boto3.client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    arn = "arn:aws:sagemaker:us-east-1:111122223333:endpoint/churn"
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    endpoint = {
        "EndpointName": "churn",
        "EndpointArn": arn,
        "EndpointStatus": "InService",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "ProductionVariants": [{"VariantName": "v1"}, {"VariantName": "v2"}],
    }
    with Stubber(client) as stub:
        stub.add_response("describe_endpoint", endpoint, {"EndpointName": "churn"})
        yield client, stub, arn


@pytest.mark.covers("P18.3")
@pytest.mark.parametrize(
    ("shares", "first", "second"),
    [(SHADOW, 100.0, 0.0), (CANARY, 90.0, 10.0), (PROMOTED, 0.0, 100.0), (BACK, 100.0, 0.0)],
)
def test_sagemaker_gets_a_weight_for_every_variant(sagemaker, shares, first, second):
    client, stub, arn = sagemaker
    weights = [
        {"VariantName": "v1", "DesiredWeight": first},
        {"VariantName": "v2", "DesiredWeight": second},
    ]
    expected = {"EndpointName": "churn", "DesiredWeightsAndCapacities": weights}
    stub.add_response("update_endpoint_weights_and_capacities", {"EndpointArn": arn}, expected)
    SageMakerServing(client=client).split_traffic("churn", shares)
    stub.assert_no_pending_responses()


def test_sagemaker_refuses_a_version_that_is_not_deployed(sagemaker):
    with pytest.raises(KeyError, match="no variant v3"):
        SageMakerServing(client=sagemaker[0]).split_traffic("churn", {"1": 90, "3": 10})


@pytest.mark.covers("P18.3")
@pytest.mark.parametrize(
    ("shares", "split"),
    [
        (SHADOW, {"77": 100, "88": 0}),
        (CANARY, {"77": 90, "88": 10}),
        (PROMOTED, {"88": 100}),
        (BACK, {"77": 100}),
    ],
)
def test_vertex_gets_shares_by_the_ids_of_the_deployed_models(shares, split):
    updates = []

    class Endpoint:
        def __init__(self, name):
            self.name = name

        def list_models(self):
            return [
                types.SimpleNamespace(id="77", display_name="1"),
                types.SimpleNamespace(id="88", display_name="2"),
            ]

        def update(self, traffic_split):
            updates.append((self.name, traffic_split))

    VertexServing(Endpoint).split_traffic("churn", shares)
    assert updates == [("churn", split)]


class Kubernetes:
    """The two calls of kubernetes.client.CustomObjectsApi, on one InferenceService."""

    def __init__(self, labels):
        self.labels = labels
        self.patches = []

    def get_namespaced_custom_object(self, *, group, version, namespace, plural, name):
        assert (group, version, plural) == ("serving.kserve.io", "v1beta1", "inferenceservices")
        return {"metadata": {"namespace": namespace, "name": name} | self.labels}

    def patch_namespaced_custom_object(self, *, group, version, namespace, plural, name, body):
        assert (group, version, plural) == ("serving.kserve.io", "v1beta1", "inferenceservices")
        self.patches.append((f"{namespace}/{name}", body["spec"]["predictor"]))


@pytest.mark.covers("P18.3")
@pytest.mark.parametrize(("shares", "percent"), [(SHADOW, 0), (CANARY, 10), (PROMOTED, None), (BACK, 0)])
@pytest.mark.parametrize("endpoint", ["churn", "models/churn"])
def test_kserve_gets_the_share_of_its_newest_revision(endpoint, shares, percent):
    api = Kubernetes({"labels": {"model-version": "2"}})
    KServeServing(api=api).split_traffic(endpoint, shares)
    assert api.patches == [("models/churn", {"canaryTrafficPercent": percent})]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [({}, "no label"), ({"labels": {"model-version": "9"}}, "serves version 9; 10 is not deployed")],
)
def test_kserve_moves_nothing_to_a_version_that_it_does_not_know(labels, problem):
    api = Kubernetes(labels)
    with pytest.raises(ValueError, match=problem):
        KServeServing(api=api).split_traffic("churn", {"9": 90, "10": 10})
    assert api.patches == []
