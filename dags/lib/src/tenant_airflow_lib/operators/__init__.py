"""Operators: MLflow, Kubeflow Pipelines, Great Expectations."""
