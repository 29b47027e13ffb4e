"""Hooks: JSON services, MLflow and Kubeflow Pipelines over their REST APIs."""
