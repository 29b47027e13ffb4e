"""The cluster policy of the live Airflow, as a platform would install it."""

from tenant_airflow_lib.policy import dag_policy

__all__ = ["dag_policy"]
