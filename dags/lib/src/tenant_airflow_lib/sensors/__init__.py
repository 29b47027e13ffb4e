"""Sensors: MLflow model stage, run and performance; Kubeflow run; CSV quality."""
