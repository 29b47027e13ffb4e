"""The images do their work as a restricted pod runs them: own user, read-only root. Needs root (chroot)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.git_remote import Remote, fetch, free_port, listening, wait_for
from tests.images.conftest import Runner

from imagebuild.chroot import Bind


@contextmanager
def started(
    runner: Runner,
    name: str,
    *arguments: str,
    env: dict[str, str] | None = None,
    binds: tuple[Bind, ...] = (),
    log: Path,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server of an image on this machine's loopback, in the background."""
    inside = replace(runner.chroot(name, env, binds), private_network=False)
    with (
        log.open("wb") as out,
        subprocess.Popen(
            inside.argv(runner.command(name, *arguments)),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            # The whole group: a program that has changed its user outlives the death of its parent.
            # With the first process inside, everything inside ends.
            # https://man7.org/linux/man-pages/man2/prctl.2.html (PR_SET_PDEATHSIG)
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("user", ["", "123456:0"])
def test_airflow_runs_on_a_read_only_root_with_any_uid_of_group_0(runner: Runner, user: str) -> None:
    said = runner.chroot("airflow", user=user).run(runner.command("airflow", "version"), 120)
    assert (said.returncode, said.stdout.strip()) == (0, "3.3.2"), said.stderr


PROVIDERS = """
    amazon.aws.hooks.s3 celery.executors.celery_executor fab.auth_manager.fab_auth_manager git.bundles.git
    cncf.kubernetes.executors.kubernetes_executor hashicorp.secrets.vault http.hooks.http slack.hooks.slack
    postgres.hooks.postgres sftp.hooks.sftp smtp.hooks.smtp ssh.hooks.ssh standard.operators.bash
"""
LIBRARIES = "asyncpg authlib opentelemetry.sdk psycopg2 redis statsd"


def test_airflow_has_its_providers_and_drivers(runner: Runner) -> None:
    modules = [*(f"airflow.providers.{name}" for name in PROVIDERS.split()), *LIBRARIES.split()]
    code = (
        "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]];"
        "from celery.backends.database import retry; print('all')"  # what Airflow's provider imports at work
    )
    done = runner.chroot("airflow").run(["python", "-W", "ignore", "-c", code, *modules], 120)
    assert done.stdout.strip().endswith("all"), done.stderr[-3000:]


def test_airflow_has_git_and_ssh_and_cannot_write_its_own_files(runner: Runner) -> None:
    said = runner.shell("airflow", "git --version; ssh -V 2>&1; touch /home/airflow/x 2>&1 || echo read-only")
    assert "git version" in said
    assert "OpenSSH" in said
    assert said.endswith("read-only")


def test_config_modules_are_on_airflows_path(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "tenant_thing.py").write_text("X = 42\n")
    tmp_path.chmod(0o755)
    said = runner.shell(
        "airflow",
        "python -c 'import tenant_thing; print(tenant_thing.X)'",
        binds=(Bind(tmp_path, "/opt/airflow/config", read_only=True),),
    )
    assert said == "42"


def test_the_operator_starts_with_helm_and_the_chart(runner: Runner) -> None:
    said = runner.chroot("operator").run(runner.command("operator", "--help"), 60)
    assert said.returncode == 0, said.stderr
    assert "CHART_PATH" in said.stdout
    shown = runner.shell("operator", "helm version --short; helm show chart $CHART_PATH; id -u")
    assert shown.startswith("v4.")
    assert "name: airflow-tenant" in shown
    assert shown.endswith("65532")


def test_the_operators_package_has_its_metadata(runner: Runner) -> None:
    code = "import importlib.metadata as m; print(m.version('airflow-tenant-operator'))"
    assert runner.shell("operator", f'python -c "{code}"')[0].isdigit()


def test_the_toolbox_has_a_shell_and_the_usual_tools(runner: Runner) -> None:
    assert runner.shell("toolbox", "id -u; which bash wget nc nslookup awk vi") == "\n".join(
        ["65532", *(f"/usr/bin/{name}" for name in ("bash", "wget", "nc", "nslookup", "awk", "vi"))]
    )


def test_time_zones_and_certificates_are_there(runner: Runner) -> None:
    code = (
        "import ssl, zoneinfo; print(zoneinfo.ZoneInfo('Europe/Berlin'), "
        "len(ssl.create_default_context().get_ca_certs()) > 100)"
    )
    assert runner.shell("operator", f'python -c "{code}"') == "Europe/Berlin True"


def owned(folder: Path, uid: int, gid: int) -> Path:
    """A volume as the kubelet makes it: root's, with the pod's fsGroup."""
    folder.mkdir()
    os.chown(folder, 0, gid)
    folder.chmod(0o2775)
    assert uid
    return folder


PG_ENV = {"POSTGRES_USER": "team", "POSTGRES_PASSWORD": "pa:ss w'ord", "POSTGRES_DB": "airflow"}


def psql(runner: Runner, port: int, query: str, password: str = PG_ENV["POSTGRES_PASSWORD"]) -> str:
    inside = replace(runner.chroot("postgresql", {"PGPASSWORD": password}), private_network=False)
    done = inside.run(
        ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "team", "-d", "airflow", "-Atc", query], 30
    )
    if done.returncode:
        raise ConnectionError(done.stderr)
    return done.stdout.strip()


def test_postgresql_makes_a_database_once_keeps_it_and_wants_the_password(
    runner: Runner, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    binds = (Bind(owned(tmp_path / "data", 999, 999), "/var/lib/postgresql/data"),)
    arguments = ("postgres", "-p", str(port))
    with started(runner, "postgresql", *arguments, env=PG_ENV, binds=binds, log=log):
        wait_for(lambda: psql(runner, port, "select 1") == "1", 60)
        assert psql(runner, port, "select current_user, current_setting('server_encoding')") == "team|UTF8"
        psql(runner, port, "create table kept (a int)")
        with pytest.raises(ConnectionError, match="authentication failed"):
            psql(runner, port, "select 1", "wrong")
    with started(runner, "postgresql", *arguments, env=PG_ENV, binds=binds, log=log):
        wait_for(lambda: psql(runner, port, "select count(*) from kept") == "0", 60)
    assert "ready for start up" not in log.read_text()


def test_postgresql_starts_again_after_a_killed_first_start(runner: Runner, tmp_path: Path) -> None:
    data = owned(tmp_path / "data", 999, 999)
    binds = (Bind(data, "/var/lib/postgresql/data"),)
    half = data / "pgdata"
    half.mkdir()
    (half / "PG_VERSION").write_text("15\n")
    (data / "pgdata.initialising").touch()
    for path in (half, half / "PG_VERSION", data / "pgdata.initialising"):
        os.chown(path, 999, 999)
    port, log = free_port(), tmp_path / "log"
    with started(runner, "postgresql", "postgres", "-p", str(port), env=PG_ENV, binds=binds, log=log):
        wait_for(lambda: psql(runner, port, "select 1") == "1", 60)
    assert not (data / "pgdata.initialising").exists()


def test_postgresql_refuses_to_start_without_a_password(runner: Runner, volume: Path) -> None:
    binds = (Bind(volume, "/var/lib/postgresql/data"),)
    done = runner.chroot("postgresql", binds=binds).run(runner.command("postgresql"), 30)
    assert done.returncode == 1
    assert "POSTGRES_PASSWORD must be set" in done.stderr


@pytest.mark.timeout(600)
def test_airflow_migrates_a_database_of_our_postgresql(runner: Runner, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    binds = (Bind(owned(tmp_path / "data", 999, 999), "/var/lib/postgresql/data"),)
    env = {**PG_ENV, "POSTGRES_PASSWORD": "plain"}
    with started(runner, "postgresql", "postgres", "-p", str(port), env=env, binds=binds, log=log):
        wait_for(lambda: psql(runner, port, "select 1", "plain") == "1", 60)
        url = f"postgresql+psycopg2://team:plain@127.0.0.1:{port}/airflow"
        manager = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
        airflow = replace(
            runner.chroot(
                "airflow",
                {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url, "AIRFLOW__CORE__AUTH_MANAGER": manager},
            ),
            private_network=False,
        )
        done = airflow.run(runner.command("airflow", "db", "migrate"), 400)
        assert done.returncode == 0, done.stderr[-3000:]
        assert psql(runner, port, "select count(*) from dag", "plain") == "0"
        assert psql(runner, port, "select count(*) > 0 from ab_role", "plain") in {"t", "f"}


REDIS = """
docker-entrypoint.sh redis-server > /tmp/log 2>&1 &
for _ in $(seq 100); do
  redis-cli ping > /tmp/said 2>&1 && grep -q NOAUTH /tmp/said && break
  sleep 0.1
done
cat /tmp/said
REDISCLI_AUTH=$REDIS_PASSWORD redis-cli ping
for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < "$file"; done | grep -c 'secret[1]' || true
"""


def test_redis_wants_its_password_and_shows_it_to_nobody(runner: Runner) -> None:
    said = runner.shell("redis", REDIS, env={"REDIS_PASSWORD": "secret1"})
    assert "NOAUTH" in said
    assert "PONG" in said
    assert said.endswith("0")


def test_the_git_server_takes_a_push_and_our_git_sync_reads_it(runner: Runner, tmp_path: Path) -> None:
    http, git = free_port(), free_port()
    served, synced = owned(tmp_path / "srv", 65532, 65532), owned(tmp_path / "git", 65533, 65533)
    password = tmp_path / "secret"
    password.mkdir(mode=0o755)
    (password / "password").write_text("pw:2\n")
    env = {
        "INIT_REPOS": "team-a team-b",
        "GIT_USER": "bob",
        "GIT_PASSWORD": "pw:2",
        "HTTP_PORT": str(http),
        "GIT_PORT": str(git),
    }
    remote = Remote.make(tmp_path)
    with started(runner, "git-server", env=env, binds=(Bind(served, "/srv/git"),), log=tmp_path / "log"):
        wait_for(lambda: listening(http) and listening(git))
        remote.run(
            "remote", "set-url", "origin", f"http://bob:pw%3A2@127.0.0.1:{http}/cgi-bin/git/team-a.git"
        )
        commit = remote.push("v1 " * 2000)
        binds = (Bind(synced, "/git"), Bind(password, "/etc/git-secret", read_only=True))
        inside = replace(runner.chroot("git-sync-standin", binds=binds), private_network=False)
        address = f"--repo=http://127.0.0.1:{http}/cgi-bin/git/team-a.git"
        refused = inside.run(runner.command("git-sync-standin", address, "--one-time"), 60)
        arguments = (
            address,
            "--one-time",
            "--link=current",
            "--username=bob",
            "--password-file=/etc/git-secret/password",
        )
        done = inside.run(runner.command("git-sync-standin", *arguments), 60)
        listed = remote.run("ls-remote", f"git://127.0.0.1:{git}/team-a.git", "main")
    assert refused.returncode == 1
    assert done.returncode == 0, done.stderr
    assert (synced / "current").readlink().name == commit
    assert listed.startswith(commit)


def test_the_statsd_exporter_turns_a_packet_into_a_metric(runner: Runner, tmp_path: Path) -> None:
    web, udp = free_port(), free_port()
    arguments = (
        f"--web.listen-address=127.0.0.1:{web}",
        f"--statsd.listen-udp=127.0.0.1:{udp}",
        "--statsd.listen-tcp=",
        "--statsd.mapping-config=/etc/statsd-exporter/mappings.yml",
    )

    def counted() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"airflow.scheduler_heartbeat:3|c", ("127.0.0.1", udp))
        return "airflow_scheduler_heartbeat" in fetch(web, "/metrics")[1]

    with started(runner, "statsd-exporter", *arguments, log=tmp_path / "log"):
        wait_for(counted)
