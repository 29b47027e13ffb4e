"""A linter for repositories of Airflow DAGs: rules L-01 to L-40, no DAG is ever run."""

__version__ = "0.1.0"
