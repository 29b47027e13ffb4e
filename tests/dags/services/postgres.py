"""A real PostgreSQL: one server per test process, a database of its own for each test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from tests.airflow.server import free_port, wait_until
from tests.dags.services.connections import Connect

_START_DEADLINE = 60.0  # seconds
_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


class PostgresServer:
    """A server on loopback that trusts everybody who reaches it; its data goes with it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="airflow-dags-postgres-"))
        # PostgreSQL refuses to run as root
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres" if _has_user("postgres") else "nobody")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        data = self.folder / "data"
        subprocess.run(
            [*_program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            cwd=self.folder,
            check=True,
            capture_output=True,
            timeout=_START_DEADLINE,
            **self._as_user,
        )
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder)} | _QUICK
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*_program("postgres"), "-D", data, "-p", str(self.port), *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user,
            )
        wait_until(self._answers, _START_DEADLINE, (self.folder / "log").read_text)
        return process

    def _answers(self) -> bool:
        try:
            self.execute("postgres", "SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        """postgresql:// address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, database: str, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Run one statement on its own and return its rows."""
        connection = psycopg2.connect(self.url(database))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, arguments or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def stop(self) -> None:
        """End the server, not waiting for its clients, and remove its data."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class Database:
    """One test's own database."""

    def __init__(self, server: PostgresServer, connect: Connect) -> None:
        self.name = f"test_{uuid.uuid4().hex[:12]}"
        self.server = server
        self.url = server.url(self.name)
        self._connect = connect
        server.execute("postgres", f"CREATE DATABASE {self.name}")

    def execute(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Run one statement on its own and return its rows."""
        return self.server.execute(self.name, sql, *arguments)

    def connection(self, conn_id: str = "postgres_conn", **extra: Any) -> str:
        """Let a connection point to this database."""
        return self._connect(
            conn_id,
            "postgres",
            host="127.0.0.1",
            port=self.server.port,
            login="postgres",
            schema=self.name,
            extra=extra,
        )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The process' server."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture
def postgres(postgres_server: PostgresServer, connect: Connect) -> Iterator[Database]:
    """An empty database; `postgres.connection(conn_id)` lets a DAG use it."""
    database = Database(postgres_server, connect)
    yield database
    postgres_server.execute("postgres", f"DROP DATABASE {database.name} WITH (FORCE)")


def _has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _program(name: str) -> list[str]:
    # Debian keeps the server's programs off PATH
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        raise RuntimeError(f"no {name} on this machine: run 'make setup', which installs PostgreSQL")
    return [program]
