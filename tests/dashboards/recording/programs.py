"""The programs of the recording, each a real one on a free port of the loopback interface."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.airflow.server import free_port, wait_until

from devcluster.tools import tool
from imagebuild.console import QuietConsole
from imagebuild.golang import build as go_build
from imagebuild.settings import Settings

START_SECONDS = 90.0
POSTGRES = {
    "fsync": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "track_io_timing": "on",  # pg_stat_database_blk_{read,write}_time_seconds_total
}


class Programs:
    """What was started; `stop` ends all of it, the youngest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "log").mkdir(parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        user: str = "",
        cwd: Path | None = None,
    ) -> None:
        """Start a program in the background; its output goes to log/<name>."""
        with (self.folder / "log" / name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(part) for part in command],
                env=os.environ | dict(env or {}),
                cwd=cwd or self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_user(user),
            )

    def log(self, name: str) -> str:
        """The end of a program's output."""
        return (self.folder / "log" / name).read_text(errors="replace")[-3000:]

    def end(self, name: str) -> None:
        """SIGTERM, and SIGKILL when that is not enough."""
        process = self._running.pop(name)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(20)
            except ProcessLookupError:
                process.wait(20)
            except subprocess.TimeoutExpired:
                continue
            return

    def stop(self) -> None:
        """End everything."""
        for name in reversed(list(self._running)):
            self.end(name)


def as_user(user: str) -> dict[str, Any]:
    """Arguments of Popen that drop root's rights; none for the present user."""
    if not user or os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def get(url: str) -> str:
    """A page, or an empty text when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""


def answers(url: str, programs: Programs, name: str) -> None:
    """Wait until a page is there."""
    wait_until(lambda: get(url), START_SECONDS, lambda: programs.log(name))


class Postgres:
    """A PostgreSQL of a tenant; everybody who reaches it is trusted."""

    def __init__(self, programs: Programs, tenant: str) -> None:
        self.port = free_port()
        name = f"postgres-{tenant}"
        folder = programs.folder / name
        folder.mkdir()
        folder.chmod(0o777)
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[4]))[-1]
        subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"],
            cwd=folder, check=True, capture_output=True, timeout=120, **as_user("postgres"),
        )  # fmt: skip
        settings = POSTGRES | {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        programs.start(
            name,
            [binaries / "postgres", "-D", folder / "data", "-p", str(self.port), *options],
            user="postgres",
            cwd=folder,
        )
        wait_until(self._ready, START_SECONDS, lambda: programs.log(name), pause=0.5)

    def _ready(self) -> bool:
        try:
            self.execute("SELECT 1")
        except subprocess.CalledProcessError:
            return False
        return True

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run statements with psql."""
        done = subprocess.run(
            ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-Atqc", sql],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    def exporter(self, programs: Programs, tenant: str) -> int:
        """postgres_exporter beside it; its port."""
        port = free_port()
        name = f"postgres-exporter-{tenant}"
        address = f"postgresql://postgres@127.0.0.1:{self.port}/airflow?sslmode=disable"
        command = ["prometheus-postgres-exporter", f"--web.listen-address=127.0.0.1:{port}"]
        programs.start(name, command, {"DATA_SOURCE_NAME": address})
        answers(f"http://127.0.0.1:{port}/metrics", programs, name)
        return port


def redis(programs: Programs, tenant: str) -> tuple[int, int]:
    """Redis as a broker, and its exporter, which counts the lists that are queues; the two ports."""
    port, exporter = free_port(), free_port()
    programs.start(
        f"redis-{tenant}",
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
         "--maxmemory", "64mb", "--maxmemory-policy", "noeviction"],
    )  # fmt: skip
    name = f"redis-exporter-{tenant}"
    programs.start(
        name,
        ["prometheus-redis-exporter", "-web.listen-address", f"127.0.0.1:{exporter}",
         "-redis.addr", f"redis://127.0.0.1:{port}", "-check-single-keys", "db0=default,db0=reports"],
    )  # fmt: skip
    answers(f"http://127.0.0.1:{exporter}/metrics", programs, name)
    return port, exporter


def statsd_exporter(programs: Programs, tenant: str, mapping: Path) -> tuple[int, int]:
    """The chart's statsd_exporter with the chart's mapping; its UDP and its HTTP port."""
    udp, http = free_port(), free_port()
    name = f"statsd-{tenant}"
    programs.start(
        name,
        [tool("statsd_exporter"), f"--statsd.mapping-config={mapping}", "--statsd.listen-tcp=",
         f"--statsd.listen-udp=127.0.0.1:{udp}", f"--web.listen-address=127.0.0.1:{http}"],
    )  # fmt: skip
    answers(f"http://127.0.0.1:{http}/metrics", programs, name)
    return udp, http


class GitRepository:
    """A team's repository and git-sync (the stand-in of this project) that follows it."""

    def __init__(self, programs: Programs, tenant: str) -> None:
        self.work = programs.folder / f"repository-{tenant}"
        self.checkout = programs.folder / f"git-{tenant}"
        self.work.mkdir()
        self._git("init", "-q", "-b", "main")
        self._programs, self._tenant = programs, tenant

    def push(self, message: str) -> str:
        """Commit what lies in the work tree; returns the revision."""
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", message)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=payments", "-c", "user.email=payments@example.com"]
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.work,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    @property
    def hidden(self) -> Path:
        """Where the repository is while it cannot be reached."""
        return self.work.with_name(f"{self.work.name}-hidden")

    def sync(self, address: str) -> str:
        """Start git-sync with its metrics on an address of its own, like a pod's; wait for the checkout."""
        settings = Settings.default()
        binary = go_build(settings, QuietConsole(), settings.images / "git-sync-standin" / "src", "git-sync")
        name = f"git-sync-{self._tenant}"
        self._programs.start(
            name,
            [binary, f"--repo=file://{self.work}", "--ref=main", f"--root={self.checkout}", "--link=current",
             "--period=5s", "--stale-worktree-timeout=30m", "--max-failures=-1",
             f"--http-bind={address}:2020", "--http-metrics"],
        )  # fmt: skip
        wait_until((self.checkout / "current").exists, 60, lambda: self._programs.log(name))
        return f"{address}:2020"
