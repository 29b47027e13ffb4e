"""What the package's tests share."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import dataclass

import pytest
from tests.dags.lib.kubeflow_stub import kubeflow
from tests.dags.services.mlflow import _environment

__all__ = ["kubeflow", "models"]

# The client of MLflow itself, in the server's environment: its layout of files is what the operators read.
_LOG_TWO_MODELS = """
import sys
import mlflow
import pandas as pd
from mlflow.models import infer_signature

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment(sys.argv[2])
one = pd.DataFrame({"tenure": [1.0]})
with mlflow.start_run() as run:
    for name, signature in (("signed", infer_signature(one, one)), ("unsigned", None)):
        model = mlflow.pyfunc.log_model(name=name, python_model=Echo(), signature=signature,
            registered_model_name=f"{sys.argv[2]}-{name}", pip_requirements=[])
        print("RESULT", model.model_uri)
    print("RESULT", run.info.run_id)
"""


@dataclass(frozen=True)
class Models:
    """`name-signed` and `name-unsigned`, version 1 each; `signed` and `unsigned` are models:/m-... URIs."""

    name: str
    signed: str
    unsigned: str
    run_id: str


@pytest.fixture(scope="session")
def models(mlflow_server: str) -> Models:
    """Two registered models, logged by MLflow's client."""
    name = f"lib-{uuid.uuid4().hex[:8]}"
    done = subprocess.run(
        [str(_environment() / "bin" / "python"), "-c", _LOG_TWO_MODELS, mlflow_server, name],
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
        env={"PATH": "/usr/bin:/bin", "MLFLOW_DISABLE_TELEMETRY": "true", "HOME": "/tmp"},
    )
    lines = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    return Models(name, *lines)
