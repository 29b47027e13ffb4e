"""The cluster policy of the live Airflow, as a platform would install it."""
