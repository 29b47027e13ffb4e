"""Adapters of the ports in `retraining` to real services; each imports its client when it is made.

| port | service | calls |
|---|---|---|
| registry | MLflow | REST API 2.0, registered-models/alias and model-versions/create |
| serving | SageMaker | UpdateEndpointWeightsAndCapacities |
| serving | Vertex AI | Endpoint.update(traffic_split=) |
| serving | KServe (Seldon users: the same shares, in `spec.predictors[].traffic`) | canaryTrafficPercent |
"""

from __future__ import annotations

from typing import Any


class MLflowRegistry:
    """Versions and aliases in MLflow's model registry.

    `connection` is an HTTP connection to the tracking server; artefacts of a model are below `location`.

    https://mlflow.org/docs/latest/api_reference/rest-api.html
    """

    def __init__(self, connection: str = "mlflow_default", location: str = "s3://models") -> None:
        self._connection = connection
        self._location = location

    def register(self, model: str, parameters: dict[str, float]) -> str:
        """Create the model if needed and a version of it; the parameters become its tags."""
        self._call("POST", "registered-models/create", {"name": model}, accept="RESOURCE_ALREADY_EXISTS")
        tags = [{"key": key, "value": str(value)} for key, value in sorted(parameters.items())]
        body = {"name": model, "source": f"{self._location}/{model}", "tags": tags}
        return str(self._call("POST", "model-versions/create", body)["model_version"]["version"])

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Point an alias to a version."""
        self._call("POST", "registered-models/alias", {"name": model, "alias": alias, "version": version})

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove an alias; MLflow does not mind when it is not there."""
        self._call("DELETE", "registered-models/alias", {"name": model, "alias": alias})

    def version_of(self, model: str, alias: str) -> str | None:
        """The version behind an alias."""
        found = self._call(
            "GET",
            "registered-models/alias",
            {"name": model, "alias": alias},
            accept=("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"),
        )
        version = found.get("model_version", {}).get("version")
        return str(version) if version is not None else None

    def _call(
        self, method: str, path: str, body: dict[str, Any], accept: str | tuple[str, ...] = ()
    ) -> dict[str, Any]:
        from airflow.providers.http.hooks.http import HttpHook

        hook = HttpHook(method=method, http_conn_id=self._connection)
        arguments = {"data": body} if method == "GET" else {"json": body}
        options = {"timeout": 30, "check_response": False}
        response = hook.run(f"/api/2.0/mlflow/{path}", extra_options=options, **arguments)
        answer: dict[str, Any] = response.json() if response.content else {}
        if not response.ok and answer.get("error_code") not in (
            {accept} if isinstance(accept, str) else accept
        ):
            response.raise_for_status()
        return answer


class SageMakerServing:
    """Production variants of a SageMaker endpoint, one for each version, named `v<version>`.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpointWeightsAndCapacities.html
    """

    def __init__(self, connection: str = "aws_default", client: Any = None) -> None:
        if client is None:
            from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook

            hook = SageMakerHook(aws_conn_id=connection)  # type: ignore[no-untyped-call,unused-ignore]
            client = hook.conn
        self._client = client

    def split_traffic(self, endpoint: str, shares: dict[str, int]) -> None:
        """Weights are relative; shares of 100 are percent."""
        self._client.update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[
                {"VariantName": f"v{version}", "DesiredWeight": float(share)}
                for version, share in sorted(shares.items())
            ],
        )


class VertexServing:
    """Deployed models of a Vertex AI endpoint; their display names are the versions.

    https://cloud.google.com/python/docs/reference/aiplatform/latest/google.cloud.aiplatform.Endpoint
    """

    def __init__(self, endpoint_of: Any = None) -> None:
        if endpoint_of is None:
            from google.cloud import aiplatform  # type: ignore[attr-defined,import-untyped,unused-ignore]

            endpoint_of = aiplatform.Endpoint
        self._endpoint_of = endpoint_of

    def split_traffic(self, endpoint: str, shares: dict[str, int]) -> None:
        """Vertex wants the ids of the deployed models, and shares of 100 together."""
        target = self._endpoint_of(endpoint)
        ids = {model.display_name: model.id for model in target.list_models()}
        target.update(traffic_split={ids[version]: share for version, share in shares.items()})


class KServeServing:
    """An InferenceService whose newest revision is the canary; `endpoint` is namespace/name.

    https://kserve.github.io/website/docs/model-serving/predictive-inference/rollout-strategies/canary
    """

    def __init__(self, api: Any = None) -> None:
        if api is None:
            from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

            api = KubernetesHook().custom_object_client
        self._api = api

    def split_traffic(self, endpoint: str, shares: dict[str, int]) -> None:
        """The newest version gets its share, the revision before it the rest."""
        namespace, _, name = endpoint.partition("/")
        newest = max(shares, key=int)
        self._api.patch_namespaced_custom_object(
            group="serving.kserve.io",
            version="v1beta1",
            namespace=namespace,
            plural="inferenceservices",
            name=name,
            body={"spec": {"predictor": {"canaryTrafficPercent": shares[newest]}}},
        )
