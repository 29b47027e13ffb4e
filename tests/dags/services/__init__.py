"""The outside world of the DAGs: real servers on loopback. This file gathers the fixtures."""

from tests.dags.services.aws import aws, moto_server
from tests.dags.services.certificate import certificate
from tests.dags.services.connections import connect, http_connection, variable
from tests.dags.services.mail import smtp, smtp_starttls
from tests.dags.services.mlflow import mlflow, mlflow_server
from tests.dags.services.postgres import postgres, postgres_server
from tests.dags.services.ssh import sftp
from tests.dags.services.statsd import datagrams

__all__ = [
    "aws",
    "certificate",
    "connect",
    "datagrams",
    "http_connection",
    "mlflow",
    "mlflow_server",
    "moto_server",
    "postgres",
    "postgres_server",
    "sftp",
    "smtp",
    "smtp_starttls",
    "variable",
]
