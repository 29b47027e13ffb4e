"""The outside world of the DAGs: real servers on loopback. This file gathers the fixtures."""

from tests.dags.services.aws import aws
from tests.dags.services.aws import moto_server as moto_server
from tests.dags.services.connections import connect, http_connection, variable
from tests.dags.services.mail import smtp
from tests.dags.services.mlflow import mlflow
from tests.dags.services.mlflow import mlflow_server as mlflow_server
from tests.dags.services.postgres import postgres
from tests.dags.services.postgres import postgres_server as postgres_server
from tests.dags.services.ssh import sftp

__all__ = ["aws", "connect", "http_connection", "mlflow", "postgres", "sftp", "smtp", "variable"]
