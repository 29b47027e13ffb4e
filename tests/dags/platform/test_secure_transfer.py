"""Encrypted at rest and on the way, and an audit line without secrets.

Real SFTP with a checked host key, a real HTTPS server and a real PostgreSQL with TLS, both with a
certificate of a private CA; S3 by moto, which answers as
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html says.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import os
import shutil
import ssl
import time
from pathlib import Path

import pytest
import yaml
from pytest_httpserver import HTTPServer
from tests.dags.home import ROOT
from tests.dags.runner import run

DAG_ID = "platform_secure_transfer"
DAY = datetime.datetime(2026, 3, 6, 4, tzinfo=datetime.UTC)
KEY = "payroll/2026-03-06/payroll.csv"
KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
CONTENT = b"employee,amount\n7,4200\n"
REGISTRY_PASSWORD = "registry-password"
DATABASE_PASSWORD = "database-password"


@pytest.fixture
def registry(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.crt", certificate / "server.key")
    server = HTTPServer(host="localhost", ssl_context=context)
    server.start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate / "server.crt"))
    server.expect_request(f"/transfers/payroll-bucket/{KEY}", method="PUT").respond_with_data("", status=201)
    yield server
    server.clear()
    server.stop()


@pytest.fixture
def tls_database(postgres, postgres_server, certificate):
    """The test's database, on a server that speaks TLS while the test runs."""
    owner = postgres_server.folder.stat()
    for name in ("server.key", "server.crt"):
        target = Path(shutil.copy(certificate / name, postgres_server.folder / name))
        target.chmod(0o600)
        os.chown(target, owner.st_uid, owner.st_gid)
        setting = {"server.key": "ssl_key_file", "server.crt": "ssl_cert_file"}[name]
        postgres_server.execute("postgres", f"ALTER SYSTEM SET {setting} = '{target}'")
    postgres_server.execute("postgres", "ALTER SYSTEM SET ssl = on")
    reload(postgres_server, "on")
    postgres.execute(
        "CREATE TABLE transfers (bucket TEXT, key TEXT, source TEXT, size BIGINT, sha256 TEXT, tls TEXT,"
        " PRIMARY KEY (bucket, key))"
    )
    yield postgres
    postgres_server.execute("postgres", "ALTER SYSTEM RESET ALL")
    reload(postgres_server, "off")


def reload(server, expected: str) -> None:
    deadline = time.monotonic() + 20
    server.execute("postgres", "SELECT pg_reload_conf()")
    while server.execute("postgres", "SHOW ssl") != [(expected,)]:
        assert time.monotonic() < deadline, f"ssl is not {expected}"
        time.sleep(0.1)


@pytest.fixture
def world(aws, sftp, registry, tls_database, certificate, connect, variable):
    """Everything in place; returns the S3 client."""
    (sftp.root / "outbox").mkdir()
    (sftp.root / "outbox" / "payroll.csv").write_bytes(CONTENT)
    sftp.connection("sftp_prod")
    aws.connection("aws_kms")
    connect(
        *("transfer_registry", "http"),
        host="https://localhost",
        port=registry.port,
        login="transfer",
        password=REGISTRY_PASSWORD,
    )
    connect(
        *("db_prod", "postgres"),
        host="localhost",
        port=tls_database.server.port,
        login="postgres",
        password=DATABASE_PASSWORD,
        schema=tls_database.name,
        extra={"sslmode": "verify-full", "sslrootcert": str(certificate / "server.crt")},
    )
    variable("platform_transfer_kms_key", KMS_KEY)
    client = aws.client("s3")
    client.create_bucket(Bucket="payroll-bucket")
    return client


@pytest.mark.covers("D000-13")
def test_the_object_is_encrypted_with_our_kms_key(world):
    done = run(DAG_ID, logical_date=DAY)
    assert done.state == "success"
    assert set(done.states.values()) == {"success"}
    stored = world.get_object(Bucket="payroll-bucket", Key=KEY)
    assert stored["ServerSideEncryption"] == "aws:kms"
    assert stored["SSEKMSKeyId"] == KMS_KEY
    assert stored["Body"].read() == CONTENT


@pytest.mark.covers("D000-13")
def test_the_put_itself_asks_for_kms_and_names_the_key(world, monkeypatch):
    import botocore.client

    asked = []
    call = botocore.client.BaseClient._make_api_call

    def watched(self, name, arguments):
        if name == "PutObject":
            asked.append((arguments["ServerSideEncryption"], arguments["SSEKMSKeyId"], arguments["Key"]))
        return call(self, name, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", watched)
    run(DAG_ID, logical_date=DAY)
    assert asked == [("aws:kms", KMS_KEY, KEY)]


@pytest.mark.covers("D000-13")
def test_the_audit_line_has_the_path_and_nothing_in_the_log_is_a_secret(world, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        done = run(DAG_ID, logical_date=DAY)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "audit.transfer"]
    assert json.loads(line.removeprefix("transfer ")) == {
        "source": "/outbox/payroll.csv",
        "bucket": "payroll-bucket",
        "key": KEY,
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "dag_id": DAG_ID,
        "run_id": done.run_id,
    }
    written = caplog.text + "".join(capfd.readouterr())
    for secret in ("sftp-password", REGISTRY_PASSWORD, DATABASE_PASSWORD, "4200"):
        assert secret not in written
    assert "sftp-password" not in json.dumps([done.xcoms(task) for task in done.states])


@pytest.mark.covers("D000-13")
def test_the_registry_is_told_over_https(world, registry):
    done = run(DAG_ID, logical_date=DAY)
    assert done.xcom("announce_transfer") == 201
    ((request, _),) = registry.log
    assert request.scheme == "https"
    assert request.json["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.covers("D000-13")
def test_the_record_is_written_over_tls_and_once_only(world, tls_database):
    run(DAG_ID, logical_date=DAY)
    run(DAG_ID, logical_date=DAY + datetime.timedelta(hours=1))
    rows = tls_database.execute("SELECT key, size, tls FROM transfers")
    assert [(key, size) for key, size, _ in rows] == [(KEY, len(CONTENT))]
    assert rows[0][2].startswith("TLSv1.")


@pytest.mark.covers("D000-13")
@pytest.mark.parametrize(
    ("conn_id", "conn_type", "fields", "why"),
    [
        ("transfer_registry", "http", {"host": "http://localhost"}, "http instead of https"),
        (
            "transfer_registry",
            "http",
            {"host": "https://localhost", "extra": {"verify": False}},
            "not verified",
        ),
        ("db_prod", "postgres", {"host": "localhost"}, "sslmode prefer"),
        ("db_prod", "postgres", {"host": "localhost", "extra": {"sslmode": "require"}}, "sslmode require"),
        ("sftp_prod", "sftp", {"host": "localhost", "extra": {"no_host_key_check": True}}, "host key"),
    ],
)
def test_a_channel_that_is_not_encrypted_and_verified_stops_the_run_at_once(
    world, connect, caplog, conn_id, conn_type, fields, why
):
    connect(conn_id, conn_type, **fields)
    done = run(DAG_ID, logical_date=DAY)
    assert done.state == "failed"
    assert done.states["check_channels"] == "failed"
    assert done.tries("check_channels") == 1
    assert done.states["transfer_file"] == "upstream_failed"
    assert world.list_objects_v2(Bucket="payroll-bucket")["KeyCount"] == 0


def only_one_try(dag) -> None:
    dag.get_task("transfer_file").retries = 0


@pytest.mark.covers("D000-13")
def test_a_server_with_another_host_key_gets_nothing_and_sends_nothing(world, sftp):
    import asyncssh

    other = asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key().decode().split()[1]
    sftp.connection("sftp_prod", host_key=other)
    done = run(DAG_ID, logical_date=DAY, change=only_one_try)
    assert done.states["transfer_file"] == "failed"
    assert world.list_objects_v2(Bucket="payroll-bucket")["KeyCount"] == 0


@pytest.mark.covers("X-12")
def test_encryption_and_secrets_are_what_their_names_say(world, tls_database):
    """KMS by extra arguments, TLS by sslmode, secrets by reference, Vault over https."""
    run(DAG_ID, logical_date=DAY)
    assert world.head_object(Bucket="payroll-bucket", Key=KEY)["ServerSideEncryption"] == "aws:kms"
    [(tls,)] = tls_database.execute("SELECT tls FROM transfers")
    assert tls.startswith("TLSv1.")

    tenants = (ROOT / "manifests" / "tenants" / "base").glob("*/tenant.yaml")
    specs = [yaml.safe_load(path.read_text())["spec"] for path in tenants]
    connections = {one["id"]: one for spec in specs for one in spec.get("connections", [])}
    assert len(connections) > 15
    assert "{{" not in json.dumps(connections)
    for name in ("db_prod", "postgres_conn", "redshift_prod", "redshift_default"):
        assert connections[name]["extra"]["sslmode"] == "verify-full"
        assert connections[name]["passwordSecretRef"]["name"]
    assert connections["vault"]["schema"] == "https"
