"""The embedded PostgreSQL's exporter, run as its pod runs it against a server that the migration prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kubernetes_validate
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.airflow.environment import airflow_bin
from tests.charts.configurations import FULL_LOCAL, LOCAL
from tests.charts.support import RELEASE, TENANT_CHART, Chart, Object, merged, render_chart
from tests.charts.test_network import MONITORING, STRANGER, pod, reaches
from tests.controller.process import eventually
from tests.controller.stack import free_port

METRICS = {"postgresql": {"metrics": {"enabled": True}}}
PROGRAMS = Path("/usr/lib/postgresql/15/bin")
DATABASE = "airflow"
PASSWORD = "of-the-server"


def exporter(chart: Chart) -> Object:
    return next(one for one in chart.pods["postgresql"].containers if one["name"] == "metrics")


def test_the_exporter_is_there_on_demand_and_the_monitoring_system_alone_reaches_it() -> None:
    without, with_ = render_chart(FULL_LOCAL), render_chart(merged(FULL_LOCAL, METRICS))
    assert [one["name"] for one in without.pods["postgresql"].containers] == ["postgresql"]
    kubernetes_validate.validate(with_[("StatefulSet", f"{RELEASE}-postgresql")], "1.34", strict=True)
    assert exporter(with_)["ports"] == [{"name": "metrics", "containerPort": 9187}]
    assert "valueFrom" not in str(exporter(with_)["env"]), "it gets no password"
    assert with_.pods["postgresql"].metadata["annotations"]["prometheus.io/port"] == "9187"
    target = pod(with_, "postgresql")
    assert reaches(with_, MONITORING, target, 9187)
    assert not reaches(without, MONITORING, target, 9187)
    for peer in (STRANGER, pod(with_, "scheduler"), pod(with_, "api-server")):
        assert not reaches(with_, peer, target, 9187)
    assert not reaches(with_, MONITORING, target, 5432)


def test_the_migration_makes_the_role_that_the_exporter_uses_and_no_other_change_comes_of_it() -> None:
    def variables(chart: Chart) -> dict[str, str]:
        return {one["name"]: one.get("value", "") for one in chart.pods["migrate-database"].main["env"]}

    chart = render_chart(merged(LOCAL, METRICS))
    role = variables(chart)["TENANT_METRICS_ROLE"]
    (name,) = (one["value"] for one in exporter(chart)["env"] if one["name"] == "DATA_SOURCE_NAME")
    assert f"user={role} " in name
    assert "TENANT_METRICS_ROLE" not in variables(render_chart(LOCAL))
    external = {"enabled": False, "metrics": {"enabled": True}}
    target = {"host": "db", "user": "u", "pass": "p", "db": "d"}
    outside = merged(LOCAL, {"postgresql": external, "data": {"metadataConnection": target}})
    assert "TENANT_METRICS_ROLE" not in variables(render_chart(outside))


@dataclass(frozen=True)
class Server:
    """A PostgreSQL with the chart's own rules of access, first made as our image makes it."""

    folder: Path
    port: int

    def psql(
        self, user: str, statement: str, host: str = "", password: str = ""
    ) -> subprocess.CompletedProcess[str]:
        command = [str(PROGRAMS / "psql"), "-w", "-At", "-h", host or str(self.folder), "-p", str(self.port)]
        return subprocess.run(
            [*command, "-U", user, "-d", DATABASE, "-c", statement],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "PGCONNECT_TIMEOUT": "10",
                **({"PGPASSWORD": password} if password else {}),
            },
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip


def as_nobody(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """PostgreSQL refuses to run as root."""
    done = subprocess.run(
        command, cwd=folder, user=65534 if os.geteuid() == 0 else None, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Short, because the path of a socket must be; owned by the user of the server.
    folder = Path(tempfile.mkdtemp(prefix="pgx-", dir="/tmp"))
    chart = render_chart(merged(LOCAL, METRICS))
    settings = chart.pods["postgresql"].main["args"]
    assert "track_io_timing=on" in settings
    access = chart[("ConfigMap", f"{RELEASE}-postgresql")]["data"]["pg_hba.conf"]
    (mount,) = (one for one in chart.pods["postgresql"].main["volumeMounts"] if one["name"] == "access")
    file = f"{mount['mountPath']}/pg_hba.conf"
    assert f"hba_file={file}" in settings
    (folder / "pg_hba.conf").write_text(access)
    settings = [one.replace(file, str(folder / "pg_hba.conf")) for one in settings]
    found = Server(folder, free_port())
    data = str(folder / "data")
    try:
        (folder / "password").write_text(f"{PASSWORD}\n")
        folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        as_nobody(
            [str(PROGRAMS / "initdb"), "-D", data, "-U", "airflow", "--auth-local=trust", "-E", "UTF8",
             "--auth-host=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"], folder,
        )  # fmt: skip
        options = " ".join(["-k", str(folder), "-p", str(found.port), "-c", "fsync=off", *settings])
        as_nobody([str(PROGRAMS / "pg_ctl"), "-D", data, "-l", str(folder / "log"), "-w", "-o", options,
                   "start"], folder)  # fmt: skip
        try:
            as_nobody([str(PROGRAMS / "createdb"), "-h", str(folder), "-p", str(found.port), "-U", "airflow",
                       DATABASE], folder, PGPASSWORD=PASSWORD)  # fmt: skip
            yield found
        finally:
            as_nobody([str(PROGRAMS / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop"], folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def migrated(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The server after the migration Job, run twice."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "airflow.cfg").write_text("# nothing\n")
    chart = render_chart(merged(LOCAL, METRICS))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        **chart.config,
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": "[]",
        "AIRFLOW__METRICS__STATSD_ON": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
            f"postgresql+psycopg2://airflow:{PASSWORD}@/{DATABASE}?host={server.folder}&port={server.port}"
        ),
        "TENANT_METRICS_ROLE": "metrics_reader",
    }
    script = TENANT_CHART / "files" / "migrate_database.py"
    for _ in range(2):
        done = subprocess.run(
            [str(airflow_bin() / "python"), str(script)],
            env=environment, cwd=home, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return server


def test_the_role_reads_statistics_and_nothing_else_and_only_over_the_socket(migrated: Server) -> None:
    seen = migrated.psql("metrics_reader", "select count(*) from pg_stat_activity where query is not null")
    assert seen.returncode == 0, seen.stderr
    tables = migrated.psql("metrics_reader", "select count(*) from connection")
    assert "permission denied" in tables.stderr
    assert "permission denied" in migrated.psql("metrics_reader", "create table x (a int)").stderr
    flags = "rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls"
    question = f"select {flags} from pg_roles where rolname = 'metrics_reader'"  # noqa: S608
    what = migrated.psql("airflow", question, password=PASSWORD)
    assert what.stdout.strip() == "f"
    for user in ("metrics_reader", "airflow"):
        assert migrated.psql(user, "select 1", host="127.0.0.1").returncode != 0
    owner = migrated.psql("airflow", "select 1")
    assert "no password supplied" in owner.stderr, "whoever shares the socket is not the database's owner"
    assert migrated.psql("airflow", "select 1", "127.0.0.1", PASSWORD).stdout.strip() == "1"


def test_who_opens_a_shell_in_the_server_s_container_has_the_password_and_the_exporter_has_not() -> None:
    without, with_ = render_chart(LOCAL), render_chart(merged(LOCAL, METRICS))
    names = {one["name"] for one in with_.pods["postgresql"].main["env"]}
    assert "PGPASSWORD" in names
    assert {one["name"] for one in exporter(with_)["env"]} == {"DATA_SOURCE_NAME"}
    assert [one["name"] for one in exporter(with_)["volumeMounts"]] == ["run"]
    assert ("ConfigMap", f"{RELEASE}-postgresql") not in without.objects
    assert "hba_file" not in str(without.pods["postgresql"].main["args"])


@pytest.mark.covers("G-07")
def test_a_real_exporter_gives_what_the_alerts_about_the_database_ask_for(
    migrated: Server, tmp_path: Path
) -> None:
    chart = render_chart(merged(LOCAL, METRICS))
    container = exporter(chart)
    port = free_port()
    arguments = [one.replace(":9187", f"127.0.0.1:{port}") for one in container["args"]]
    given = {one["name"]: one["value"] for one in container["env"]}
    name = given["DATA_SOURCE_NAME"].replace("/var/run/postgresql", f"{migrated.folder} port={migrated.port}")
    assert name != given["DATA_SOURCE_NAME"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus-postgres-exporter", *arguments],
            env={**given, "DATA_SOURCE_NAME": name}, stdout=log, stderr=log,
        )  # fmt: skip

    def scrape() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            return ""

    try:
        text = eventually(scrape, 20, (tmp_path / "log").read_text, pause=0.2)
    finally:
        process.terminate()
        process.wait(10)
    samples = {  # the parser adds _total to counters, which Prometheus does not
        (sample.name.removesuffix("_total"), sample.labels.get("datname", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples[("pg_up", "")] == 1
    assert samples[("pg_settings_max_connections", "")] == 100
    assert samples[("pg_settings_track_io_timing", "")] == 1
    assert samples[("pg_stat_database_numbackends", DATABASE)] >= 1
    assert samples[("pg_database_size_bytes", DATABASE)] > 1e6
    for needed in ("blks_read", "blk_read_time", "blk_write_time", "xact_commit"):
        assert (f"pg_stat_database_{needed}", DATABASE) in samples, needed
