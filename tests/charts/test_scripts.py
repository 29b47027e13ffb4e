"""The programs that the tenant chart mounts, run as the pods run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.airflow.environment import airflow_bin
from tests.charts.configurations import LOCAL
from tests.charts.support import TENANT_CHART, render_chart
from tests.git_remote import wait_for

import imagebuild
from imagebuild.chroot import Bind, Chroot
from imagebuild.settings import Settings
from imagebuild.workshop import unpacked

FILES = TENANT_CHART / "files"
#: where the image sees the shared folder; it must exist in it, for the root is read-only
SHARED = "/var/lib/postgresql/data"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The chart's modules importable, as in the pod."""
    monkeypatch.syspath_prepend(str(FILES))
    yield
    for name in ("database_state", "wait_for_database", "job_alive"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("modules")
def test_heads_are_the_revisions_that_nothing_follows() -> None:
    import database_state  # type: ignore[import-not-found,unused-ignore]

    first = 'revision = "a1"\ndown_revision = None\n'
    second = "revision: str = 'b2'\ndown_revision: str | None = 'a1'\n"
    left, right = 'revision = "c3"\ndown_revision = "b2"\n', 'revision = "d4"\ndown_revision = "b2"\n'
    merge = 'revision = "e5"\ndown_revision = ("c3", "d4")\ndepends_on = None\n'
    assert database_state.heads([first]) == {"a1"}
    assert database_state.heads([second, first]) == {"b2"}
    assert database_state.heads([first, second, left, right]) == {"c3", "d4"}
    assert database_state.heads([first, second, left, right, merge]) == {"e5"}


@pytest.mark.usefixtures("modules")
def test_the_first_airflow_on_the_path_is_the_expected_one(tmp_path: Path) -> None:
    import database_state  # type: ignore[import-not-found,unused-ignore]

    for place, revision in (("one", "a1"), ("two", "b2")):
        folder = tmp_path / place / "airflow" / "migrations" / "versions"
        folder.mkdir(parents=True)
        (folder / "0001.py").write_text(f'revision = "{revision}"\ndown_revision = None\n')
    path = [str(tmp_path / place) for place in ("nothing", "one", "two")]
    assert database_state.expected_heads(path) == {"alembic_version": {"a1"}}
    with pytest.raises(LookupError):
        database_state.expected_heads([str(tmp_path)])


@pytest.mark.usefixtures("modules")
def test_a_difference_names_table_and_revisions() -> None:
    import wait_for_database  # type: ignore[import-not-found,unused-ignore]

    expected = {"alembic_version": frozenset({"b2"}), "alembic_version_fab": frozenset({"f1"})}
    assert wait_for_database.difference(expected, expected) is None
    older = {**expected, "alembic_version": frozenset({"a1"})}
    assert "alembic_version has a1, this image expects b2" in str(
        wait_for_database.difference(expected, older)
    )
    # an image that was rolled back does not fit a newer database either
    assert wait_for_database.difference(older, expected) is not None
    assert "alembic_version_fab has nothing" in str(
        wait_for_database.difference(expected, {"alembic_version": frozenset({"b2"})})
    )


@pytest.mark.usefixtures("modules")
def test_waiting_ends_with_success_or_at_the_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    import wait_for_database  # type: ignore[import-not-found,unused-ignore]

    answers = iter(["not yet", "not yet", None])
    assert wait_for_database.wait(lambda: next(answers), 5, pause_seconds=0.01) is True
    assert capsys.readouterr().out == "not yet\n"

    def broken() -> str | None:
        raise OSError("refused")

    assert wait_for_database.wait(broken, 0.05, pause_seconds=0.02) is False
    assert "gave up" in capsys.readouterr().out


@dataclass(frozen=True)
class Airflow:
    """A real Airflow with its database file, run with the environment that the chart gives the Job."""

    python: Path
    home: Path
    environment: dict[str, str]

    def migrate(
        self, users: list[dict[str, Any]], passwords: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, "TENANT_USERS": json.dumps(users), **passwords}
        return subprocess.run(
            [str(self.python), str(FILES / "migrate_database.py")],
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.home / "airflow.db")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@pytest.fixture
def airflow(tmp_path: Path) -> Airflow:
    (tmp_path / "airflow.cfg").write_text("# nothing\n")
    environment = {
        **{key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ},
        "HOME": str(tmp_path),
        "AIRFLOW_HOME": str(tmp_path),
        **render_chart(LOCAL).config,
        "AIRFLOW_CONFIG": str(tmp_path / "airflow.cfg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": "[]",
    }
    return Airflow(airflow_bin() / "python", tmp_path, environment)


def installed_heads() -> dict[str, list[str]]:
    """What the init containers expect of the Airflow that the tests have installed."""
    code = (
        "import json, database_state as d;"
        "print(json.dumps({table: sorted(heads) for table, heads in d.expected_heads().items()}))"
    )
    done = subprocess.run(
        [str(airflow_bin() / "python"), "-c", code],
        env={"PYTHONPATH": str(FILES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    heads: dict[str, list[str]] = json.loads(done.stdout)
    return heads


def user(name: str, role: str = "Admin") -> dict[str, str]:
    return {
        "username": name,
        "email": f"{name}@example.com",
        "firstName": "First",
        "lastName": "Last",
        "role": role,
        "passwordEnv": f"PASSWORD_{name.upper()}",
    }


@pytest.mark.covers("S003-18")
@pytest.mark.timeout(900)  # a cold cache installs Airflow first
def test_the_migration_creates_users_once_and_follows_their_passwords(airflow: Airflow) -> None:
    users = [user("ada"), user("bob", "Viewer")]
    first = airflow.migrate(users, {"PASSWORD_ADA": "one-secret", "PASSWORD_BOB": "bobs-secret"})
    assert first.returncode == 0, first.stderr[-2000:]
    assert "user ada: created" in first.stdout
    assert "user bob: created" in first.stdout
    before = dict(airflow.rows("select username, password from ab_user"))
    assert before.keys() == {"ada", "bob"}

    second = airflow.migrate(users, {"PASSWORD_ADA": "two-secret", "PASSWORD_BOB": "bobs-secret"})
    assert second.returncode == 0, second.stderr[-2000:]
    assert "user ada: password set" in second.stdout
    assert "user bob: unchanged" in second.stdout
    after = dict(airflow.rows("select username, password from ab_user"))
    assert after["ada"] != before["ada"]
    assert after["bob"] == before["bob"]
    roles = airflow.rows(
        "select u.username, r.name from ab_user u join ab_user_role ur on ur.user_id = u.id "
        "join ab_role r on r.id = ur.role_id order by u.username"
    )
    assert roles == [("ada", "Admin"), ("bob", "Viewer")]

    wrong = airflow.migrate([user("cid", "Nobody")], {"PASSWORD_CID": "cids-secret"})
    assert wrong.returncode != 0
    # the operator tells the last line
    assert "there is no role 'Nobody'; known roles: Admin" in wrong.stderr.splitlines()[-1]
    for run in (first, second, wrong):
        for secret in ("one-secret", "two-secret", "bobs-secret", "cids-secret"):
            assert secret not in run.stdout + run.stderr

    # What the init containers expect is what this Airflow's migration leaves behind.
    expected = installed_heads()
    assert expected.keys() == {"alembic_version", "alembic_version_fab"}
    for table, heads in expected.items():
        assert [(head,) for head in heads] == airflow.rows(f"select version_num from {table}")  # noqa: S608


@dataclass(frozen=True)
class Postgres:
    """The server of our own image, behind a socket in a folder that this machine and the image share."""

    image: Chroot
    folder: Path

    def sql(self, *statements: str) -> None:
        arguments = [word for statement in statements for word in ("-c", statement)]
        done = self.image.run(
            ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", SHARED, "-U", "airflow", "postgres", *arguments], 60
        )
        assert done.returncode == 0, done.stderr

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://airflow@/postgres?host={self.folder}"

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(airflow_bin() / "python"), str(FILES / name), *arguments],
            env={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url},
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    if os.geteuid() != 0:
        pytest.skip("needs root: the server is that of our image, in a chroot")
    built = imagebuild.build(["postgresql"])["postgresql"]
    user, _, group = built.config.user.partition(":")
    # Short, because the path of a socket must be; open to the script, which is another user outside.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    os.chown(folder, int(user), int(group or user))
    image = Chroot(
        unpacked(Settings.default(), built.layers),
        user=built.config.user,
        read_only=True,
        env=built.config.env,
        binds=(Bind(folder, SHARED),),
    )
    data = f"{SHARED}/data"
    try:
        done = image.run(["initdb", "-D", data, "-U", "airflow", "-A", "trust"], 60)
        assert done.returncode == 0, done.stderr
        options = ["-D", data, "-k", SHARED, "-c", "listen_addresses=", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                image.argv(["postgres", *options]), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_for(lambda: image.run(["pg_isready", "-q", "-h", SHARED], 10).returncode == 0, 60)
            yield Postgres(image, folder)
        finally:
            server.kill()  # unshare ends everything inside with it
            server.wait(30)
    finally:
        shutil.rmtree(folder)


@pytest.mark.timeout(1800)  # a cold build of the image and of the Airflow that the scripts run in
def test_init_containers_and_probes_read_a_real_database(postgres: Postgres) -> None:
    assert postgres.script("wait_for_database.py", "connected", "--timeout", "5").returncode == 0
    empty = postgres.script("wait_for_database.py", "migrated", "--timeout", "0.1")
    assert (empty.returncode, "alembic_version has nothing" in empty.stdout) == (1, True)

    heads = {table: only for table, (only,) in installed_heads().items()}
    for table, head in heads.items():
        postgres.sql(f"create table {table} (version_num text)", f"insert into {table} values ('{head}')")  # noqa: S608
    assert postgres.script("wait_for_database.py", "migrated", "--timeout", "0.1").returncode == 0
    lonely = postgres.script("wait_for_database.py", "migrated", "--users", "--timeout", "0.1")
    assert (lonely.returncode, "waiting for the first user" in lonely.stdout) == (1, True)
    postgres.sql("create table ab_user (id int)", "insert into ab_user values (1)")
    assert postgres.script("wait_for_database.py", "migrated", "--users", "--timeout", "0.1").returncode == 0
    postgres.sql("update alembic_version set version_num = 'older'")
    stale = postgres.script("wait_for_database.py", "migrated", "--timeout", "0.1")
    assert (stale.returncode, "alembic_version has older" in stale.stdout) == (1, True)

    import socket

    postgres.sql("create table job (job_type text, hostname text, state text, latest_heartbeat timestamptz)")
    assert postgres.script("job_alive.py", "TriggererJob").returncode == 1
    own, other = socket.gethostname(), "10.9.9.9"
    row = "insert into job values ('{}', '{}', 'running', now() - interval '{} seconds')"
    for kind, host, age in (
        ("DagProcessorJob", own, 5),
        ("TriggererJob", other, 5),
        ("TriggererJob", own, 90),
    ):
        postgres.sql(row.format(kind, host, age))
    assert postgres.script("job_alive.py", "DagProcessorJob").returncode == 0
    old = postgres.script("job_alive.py", "TriggererJob")
    assert old.returncode == 1
    assert re.search(r"last heartbeat 9\d s ago, limit 60 s", old.stdout)  # a second may pass in between
    assert postgres.script("job_alive.py", "TriggererJob", "120").returncode == 0
