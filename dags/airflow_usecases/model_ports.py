"""Adapters of the ports in `retraining` to real services; each imports its client when it is made.

| port | service | calls |
|---|---|---|
| registry | MLflow | REST API 2.0 by `tenant_airflow_lib.hooks.mlflow`: run, artifacts, version, alias |
| serving | SageMaker | DescribeEndpoint, UpdateEndpointWeightsAndCapacities |
| serving | Vertex AI | Endpoint.update(traffic_split=) |
| serving | KServe (Seldon users: the same shares, in `spec.predictors[].traffic`) | canaryTrafficPercent |

The services deploy nothing here: every version that gets a share has to be deployed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenant_airflow_lib.hooks.rest import Call

VERSION_LABEL = "model-version"  # on an InferenceService: the version that its newest revision serves


class MLflowRegistry:
    """Versions and aliases in MLflow's model registry.

    `connection` is an HTTP connection to the tracking server, which has to serve artifacts (it does by
    default). A version belongs to an MLflow run in the experiment with the model's name: the run has the
    parameters, its artifact `model/model.json` is what the version points to.
    """

    def __init__(self, connection: str = "mlflow_default") -> None:
        from tenant_airflow_lib.hooks.mlflow import MLflowHook

        self._hook = MLflowHook(connection)

    def register(self, model: str, parameters: dict[str, float], run: str) -> str:
        """Store the model in the MLflow run of `run`, and that as a version; a retry adds no second one."""
        return self._hook.run(_register(model, parameters, run))

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Point an alias to a version. Raises KeyError for a version that is not there."""
        from tenant_airflow_lib.hooks import mlflow, rest

        try:
            self._hook.run(mlflow.set_alias(model, alias, version))
        except rest.RequestRefused as error:
            if error.not_found:
                raise KeyError(f"{model} has no version {version}") from None
            raise

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove an alias; one that is not there is fine."""
        from tenant_airflow_lib.hooks.rest import RequestRefused

        try:
            self._hook.run(_delete_alias(model, alias))
        except RequestRefused as error:
            if not error.not_found:
                raise

    def version_of(self, model: str, alias: str) -> str | None:
        """The version behind an alias."""
        from tenant_airflow_lib.hooks import mlflow, rest

        try:
            return self._hook.run(mlflow.aliases_of(model)).get(alias)
        except rest.RequestRefused as error:
            if error.not_found:
                return None
            raise

    def parameters_of(self, model: str, version: str) -> dict[str, float]:
        """The parameters of a version's run. Raises KeyError for a version that is not there."""
        from tenant_airflow_lib.hooks.rest import RequestRefused

        try:
            return self._hook.run(_parameters(model, version))
        except RequestRefused as error:
            if error.not_found:
                raise KeyError(f"{model} has no version {version}") from None
            raise


def _register(model: str, parameters: dict[str, float], run: str) -> Call[str]:
    from tenant_airflow_lib.hooks import mlflow, mlflow_runs

    _, run_id = yield from mlflow_runs.ensure_run(model, run)
    yield from mlflow.log_batch(run_id, params=parameters)
    source = yield from mlflow_runs.upload_model(run_id, "model", {"model.json": parameters})
    version = yield from mlflow.register_once(model, source, run_id)
    yield from mlflow.end_run(run_id)
    return version


def _delete_alias(model: str, alias: str) -> Call[None]:
    from tenant_airflow_lib.hooks.rest import Request

    body = {"name": model, "alias": alias}
    yield Request("DELETE", "/api/2.0/mlflow/registered-models/alias", json=body)


def _parameters(model: str, version: str) -> Call[dict[str, float]]:
    from tenant_airflow_lib.hooks import mlflow

    found = yield from mlflow.get_model_version(model, version)
    run = yield from mlflow.get_run(found["run_id"])
    return {item["key"]: float(item["value"]) for item in run["data"].get("params") or []}


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
        """Weights are relative; shares of 100 are percent. A variant without a share gets the weight 0.

        The call leaves variants that it does not name as they are, so it names all of them. Raises KeyError
        for a version that the endpoint has no variant of.
        """
        described = self._client.describe_endpoint(EndpointName=endpoint)
        weights = {variant["VariantName"]: 0.0 for variant in described["ProductionVariants"]}
        for version, share in shares.items():
            if f"v{version}" not in weights:
                raise KeyError(f"{endpoint} has no variant v{version}")
            weights[f"v{version}"] = float(share)
        self._client.update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[
                {"VariantName": name, "DesiredWeight": weight} for name, weight in sorted(weights.items())
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
        """Vertex wants the ids of the deployed models; one that is not named gets no traffic.

        Raises KeyError for a version that is not deployed.
        """
        target = self._endpoint_of(endpoint)
        ids = {model.display_name: model.id for model in target.list_models()}
        target.update(traffic_split={ids[version]: share for version, share in shares.items()})


class KServeServing:
    """An InferenceService whose newest revision is the canary; `endpoint` is its name, or namespace/name.

    Which version the newest revision serves is read from the label `model-version`: whoever deploys a
    version sets it. https://kserve.github.io/website/docs/model-serving/predictive-inference/rollout-strategies/canary
    """

    def __init__(self, namespace: str = "models", api: Any = None) -> None:
        if api is None:
            from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

            api = KubernetesHook().custom_object_client
        self._namespace = namespace
        self._api = api

    def split_traffic(self, endpoint: str, shares: dict[str, int]) -> None:
        """The newest revision gets its version's share (0 without one), the last good revision the rest.

        All of it is a promotion: KServe makes a revision the last good one when the field is gone. Raises
        ValueError when a version newer than the newest revision is asked for, or the label is missing.
        """
        namespace, _, name = endpoint.rpartition("/")
        service = {
            "group": "serving.kserve.io",
            "version": "v1beta1",
            "namespace": namespace or self._namespace,
            "plural": "inferenceservices",
            "name": name,
        }
        found = self._api.get_namespaced_custom_object(**service)
        newest = found["metadata"].get("labels", {}).get(VERSION_LABEL)
        if newest is None:
            raise ValueError(f"{endpoint} has no label {VERSION_LABEL}")
        wanted = max(shares, key=int)
        if int(wanted) > int(newest):
            raise ValueError(f"{endpoint} serves version {newest}; {wanted} is not deployed")
        share = shares.get(newest, 0)
        body = {"spec": {"predictor": {"canaryTrafficPercent": share if share < 100 else None}}}
        self._api.patch_namespaced_custom_object(**service, body=body)
