"""Grafana dashboards, alerts and the metric registry of Airflow tenants."""
