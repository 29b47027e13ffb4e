"""Where a model lies and what its MLmodel file says, for every form of a model URI."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlparse

from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.hooks.mlflow import MLflowHook, aliases_of, get_model_version, get_run
from tenant_airflow_lib.hooks.rest import Call, Request

_API = "/api/2.0/mlflow/"
_PROXIED = "/api/2.0/mlflow-artifacts/artifacts/"


class BadModelUri(AirflowFailException, ValueError):
    """A text that is no model URI, or names nothing."""


def locate(model_uri: str) -> Call[str]:
    """The folder of the model's files.

    Understood: `models:/<name>/<version>`, `models:/<name>@<alias>`, `models:/<name>/<stage>` (legacy),
    `models:/m-<id>`, `runs:/<run_id>/<name>`; any other URI is a folder already. Raises BadModelUri;
    RequestRefused (404) for an unknown model, version or run.
    """
    scheme, _, rest = model_uri.partition(":/")
    if not rest:
        raise BadModelUri(f"no model URI: {model_uri!r}")
    if scheme == "models":
        return (yield from _of_registry(model_uri, rest.strip("/")))
    if scheme == "runs":
        run_id, _, path = rest.strip("/").partition("/")
        return (yield from _of_run(run_id, path))
    return model_uri


def _of_registry(model_uri: str, rest: str) -> Call[str]:
    if rest.startswith("m-") and "/" not in rest and "@" not in rest:
        return (yield from _of_logged_model(rest))
    if "@" in rest:
        name, _, alias = rest.rpartition("@")
        version = (yield from aliases_of(name)).get(alias)
        if version is None:
            raise BadModelUri(f"model {name!r} has no alias {alias!r}")
    else:
        name, _, version = rest.rpartition("/")
        if not name or not version:
            raise BadModelUri(f"no model URI: {model_uri!r}")
        if not version.isdigit():
            version = yield from _newest_in_stage(name, version)
    yield from get_model_version(name, version)
    found = yield Request(
        "GET", f"{_API}model-versions/get-download-uri", params={"name": name, "version": version}
    )
    return (yield from locate(str(found["artifact_uri"])))


def _newest_in_stage(name: str, stage: str) -> Call[str]:
    body = yield Request(
        "POST", f"{_API}registered-models/get-latest-versions", json={"name": name, "stages": [stage]}
    )
    versions = body.get("model_versions") or []
    if not versions:
        raise BadModelUri(f"model {name!r} has no version in stage {stage!r}")
    return str(versions[0]["version"])


def _of_logged_model(model_id: str) -> Call[str]:
    body = yield Request("GET", f"{_API}logged-models/{quote(model_id, safe='')}")
    return str(body["model"]["info"]["artifact_uri"])


def _of_run(run_id: str, path: str) -> Call[str]:
    """MLflow 3 keeps a run's models outside of the run's own artifacts, under an id of their own."""
    run = yield from get_run(run_id)
    for output in (run.get("outputs") or {}).get("model_outputs") or []:
        body = yield Request("GET", f"{_API}logged-models/{quote(output['model_id'], safe='')}")
        if body["model"]["info"].get("name") == path:
            return str(body["model"]["info"]["artifact_uri"])
    return f"{run['info']['artifact_uri'].rstrip('/')}/{path}"


def read_mlmodel(hook: MLflowHook, folder: str, artifact_conn_id: str | None = None) -> dict[str, Any]:
    """The MLmodel file in `folder`: through the tracking server, or from its storage (s3://, file://...).

    `artifact_conn_id` is the connection of that storage. Raises RequestRefused or BadModelUri when there is
    no such file, both an AirflowFailException.
    """
    import yaml

    place = f"{folder.rstrip('/')}/MLmodel"
    if place.startswith("mlflow-artifacts:"):
        text = hook.run(_artifact(urlparse(place).path.lstrip("/")))
    else:
        from airflow.sdk import ObjectStoragePath

        try:
            text = ObjectStoragePath(place, conn_id=artifact_conn_id).read_text()
        except FileNotFoundError:
            raise BadModelUri(f"no model in {folder}: it has no file MLmodel") from None
    return dict(yaml.safe_load(text) or {})


def _artifact(path: str) -> Call[str]:
    return str((yield Request("GET", _PROXIED + quote(path), text=True)))
