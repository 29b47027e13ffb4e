"""One module per outside thing (Kubernetes, Helm, Airflow), each behind a Protocol of core.ports."""
