"""What the analytics team's DAGs share. Plain Python: it can be tested without Airflow."""
