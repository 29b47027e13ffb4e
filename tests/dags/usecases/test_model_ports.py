"""The adapters, against a real MLflow server and against the documented calls of the clouds.

SageMaker: botocore's own model of the service checks the request (UpdateEndpointWeightsAndCapacities).
Vertex AI: Endpoint.list_models and .update(traffic_split=...) of google.cloud.aiplatform's reference.
KServe: a merge patch of InferenceService v1beta1, spec.predictor.canaryTrafficPercent of its documentation.
"""

from __future__ import annotations

import types
import uuid

import pytest

from airflow_usecases.model_ports import KServeServing, MLflowRegistry, SageMakerServing, VertexServing


def test_mlflow_versions_and_aliases(mlflow):
    mlflow.connection("mlflow_default")
    registry, model = MLflowRegistry(), f"churn-{uuid.uuid4().hex}"
    first = registry.register(model, {"boundary": 0.5})
    second = registry.register(model, {"boundary": 0.6})
    assert (first, second) == ("1", "2")
    assert registry.version_of(model, "champion") is None
    registry.set_alias(model, "champion", first)
    registry.set_alias(model, "champion", second)
    assert registry.version_of(model, "champion") == "2"
    registry.delete_alias(model, "champion")
    registry.delete_alias(model, "champion")
    assert registry.version_of(model, "champion") is None


def test_an_alias_of_a_version_that_is_not_there_is_an_error(mlflow):
    mlflow.connection("mlflow_default")
    with pytest.raises(Exception, match=r"404|400"):
        MLflowRegistry().set_alias(f"none-{uuid.uuid4().hex}", "champion", "1")


def test_sagemaker_gets_a_weight_for_each_variant():
    import boto3
    from botocore.stub import Stubber

    client = boto3.client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    with Stubber(client) as stub:
        expected = {
            "EndpointName": "churn",
            "DesiredWeightsAndCapacities": [
                {"VariantName": "v1", "DesiredWeight": 90.0},
                {"VariantName": "v2", "DesiredWeight": 10.0},
            ],
        }
        answer = {"EndpointArn": "arn:aws:sagemaker:us-east-1:111122223333:endpoint/churn"}
        stub.add_response("update_endpoint_weights_and_capacities", answer, expected)
        SageMakerServing(client=client).split_traffic("churn", {"2": 10, "1": 90})
        stub.assert_no_pending_responses()


def test_vertex_gets_shares_by_the_ids_of_the_deployed_models():
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

    VertexServing(Endpoint).split_traffic("churn", {"1": 90, "2": 10})
    assert updates == [("churn", {"77": 90, "88": 10})]


def test_kserve_gets_the_share_of_the_newest_version():
    patches = []

    class Api:
        def patch_namespaced_custom_object(self, *, group, version, namespace, plural, name, body):
            patches.append((group, version, namespace, plural, name, body))

    KServeServing(Api()).split_traffic("models/churn", {"9": 90, "10": 10})
    body = {"spec": {"predictor": {"canaryTrafficPercent": 10}}}
    assert patches == [("serving.kserve.io", "v1beta1", "models", "inferenceservices", "churn", body)]
