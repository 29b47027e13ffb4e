"""The team's services."""

from tests.dags.lib.kubeflow_stub import kubeflow

__all__ = ["kubeflow"]
