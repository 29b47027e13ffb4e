"""A git remote for tests: a bare repository, `git daemon`, and git's HTTP backend with a password."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

GIT_ENV = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@t.example",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@t.example",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}
#: For one command, on a machine that is busy with other tests.
SECONDS = 120


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], object], seconds: float = 120.0) -> None:
    """Until `what` is true and raises nothing; fails after the deadline with what it said last."""
    end, last = time.monotonic() + seconds, "it was false"
    while time.monotonic() < end:
        try:
            if what():
                return
        except Exception as error:  # noqa: BLE001 - shown at the end
            last = repr(error)
        time.sleep(0.03)
    raise AssertionError(f"not within {seconds} s: {last}")


def listening(port: int) -> bool:
    """Whether somebody answers on a port of the loopback interface; raises OSError when not."""
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def fetch(port: int, path: str = "/") -> tuple[int, str]:
    """GET from the loopback interface: status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@dataclass
class Remote:
    """A bare repository `r.git` in `base`, written through a work tree."""

    base: Path
    work: Path

    @classmethod
    def make(cls, folder: Path, name: str = "r.git") -> Remote:
        """A repository with nothing in it."""
        remote = cls(folder / "remotes", folder / f"work-{name}")
        bare = remote.base / name
        bare.parent.mkdir(parents=True, exist_ok=True)
        remote.run("init", "-q", "--bare", "-b", "main", str(bare), cwd=folder)
        remote.run("config", "http.receivepack", "true", cwd=bare)
        remote.run("init", "-q", "-b", "main", str(remote.work), cwd=folder)
        remote.run("remote", "add", "origin", str(bare))
        return remote

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """git, by default in the work tree."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.work,
            env={**os.environ, **GIT_ENV},
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return done.stdout.strip()

    def push(self, text: str, name: str = "dag.py", branch: str = "main") -> str:
        """Commit one file and push it; returns the full hash."""
        (self.work / name).write_text(text)
        self.run("add", "-A")
        self.run("commit", "-q", "-m", text)
        self.run("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return self.run("rev-parse", "HEAD")


@contextmanager
def daemon(base: Path, port: int) -> Iterator[str]:
    """`git daemon` on a port; yields the address of the folder."""
    command = [
        "git",
        "daemon",
        "--reuseaddr",
        "--export-all",
        f"--base-path={base}",
        "--listen=127.0.0.1",
        f"--port={port}",
        str(base),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            wait_for(lambda: listening(port))
            yield f"git://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)  # the session that was started here


class _Handler(BaseHTTPRequestHandler):
    base: Path
    credential: str  # empty: anybody may read and write

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Quiet."""

    def _serve(self) -> None:
        expected = "Basic " + base64.b64encode(self.credential.encode()).decode()
        if self.credential and self.headers.get("Authorization") != expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="t"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.base),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": "t",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = subprocess.run(
            ["git", "http-backend"], input=body, env=env, capture_output=True, timeout=SECONDS
        ).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _serve  # noqa: N815 - the parent's names


@contextmanager
def http_backend(base: Path, credential: str = "", port: int = 0) -> Iterator[str]:
    """Smart HTTP, by default for anybody, else for `user:password`; yields the address of the folder."""
    handler = type("Handler", (_Handler,), {"base": base, "credential": credential})
    with serving(handler, port) as address:
        yield address


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    """An HTTP server of the loopback interface in a thread, by default on a free port; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
