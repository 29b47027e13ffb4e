"""Operators, sensors, notifiers, checks and a DAG factory for teams on a tenant's Airflow."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """What Airflow's providers manager shows of this package (entry point ``apache_airflow_provider``)."""
    return {
        "package-name": "tenant-airflow-lib",
        "name": "Tenant Airflow library",
        "description": "Operators, sensors, notifiers, checks and a DAG factory for tenants.",
        "versions": ["0.1.0"],
    }
