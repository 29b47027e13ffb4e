"""What the payments team's DAGs share. Plain Python: it can be tested without Airflow."""
