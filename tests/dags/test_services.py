"""The services that the library's tests lean on do what they say."""

from __future__ import annotations

import pytest
import requests


def test_every_test_has_an_empty_database(postgres):
    assert postgres.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    ) == [(0,)]
    postgres.connection("orders_db")
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    assert PostgresHook("orders_db").get_first("SELECT current_database()") == (postgres.name,)


def test_a_mail_arrives_as_it_was_sent(smtp):
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook() as hook:
        hook.send_email_smtp(to="team@example.com", subject="Hello", html_content="<b>7 rows</b>")
    assert [message["Subject"] for message in smtp.messages] == ["Hello"]
    assert smtp.envelopes[0].rcpt_tos == ["team@example.com"]


def test_s3_keeps_what_a_hook_wrote(aws):
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    aws.connection("aws_default")
    aws.client("s3").create_bucket(Bucket="lake")
    S3Hook().load_string("rows", "part-0", bucket_name="lake")
    assert aws.client("s3").get_object(Bucket="lake", Key="part-0")["Body"].read() == b"rows"


def test_the_ssh_server_runs_scripted_commands_and_serves_files(sftp):
    from airflow.providers.sftp.hooks.sftp import SFTPHook
    from airflow.providers.ssh.hooks.ssh import SSHHook

    sftp.connection("files")
    sftp.connection("shell", conn_type="ssh")
    sftp.answer("hostname", "warehouse\n")
    (sftp.root / "a.csv").write_text("id\n1\n")
    assert SFTPHook("files").list_directory("/") == ["a.csv"]
    with SSHHook("shell").get_conn() as client:
        assert client.exec_command("hostname")[1].read() == b"warehouse\n"
    assert sftp.commands == ["hostname"]


def test_an_ssh_server_with_another_host_key_is_refused(sftp):
    from airflow.providers.sftp.hooks.sftp import SFTPHook
    from paramiko.ssh_exception import BadHostKeyException, SSHException

    sftp.connection("files", host_key="AAAAC3NzaC1lZDI1NTE5AAAAIJLmVn1QmvpcJ1GQBAJ3+kr9ym7h7MqJQ6kRHXnGXLQl")
    with pytest.raises((BadHostKeyException, SSHException)):
        SFTPHook("files").list_directory("/")


def test_the_mlflow_server_answers_its_rest_api(mlflow):
    made = requests.post(
        f"{mlflow.url}/api/2.0/mlflow/experiments/create", json={"name": "services"}, timeout=30
    )
    assert made.json()["experiment_id"]
