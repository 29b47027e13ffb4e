"""An SSH server with SFTP: real protocol, real host key, a folder as its root, scripted commands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from tests.dags.services.connections import Connect

_DEADLINE = 30.0  # seconds
USER = "etl"
PASSWORD = "sftp-password"


class SshServer:
    """`root`: what SFTP shows as /; `commands`: what was executed, in order."""

    def __init__(self, root: Path, connect: Connect) -> None:
        self.root = root
        self.commands: list[str] = []
        self.port = 0
        self._answers: dict[str, tuple[str, int]] = {}
        self._connect = connect
        self._host_key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listener: asyncssh.SSHAcceptor | None = None
        self._connections: list[asyncssh.SSHServerConnection] = []

    @property
    def host_key(self) -> str:
        """The base64 of the public host key, as in a known_hosts file."""
        return self._host_key.export_public_key().decode().split()[1]

    def answer(self, command: str, stdout: str = "", status: int = 0) -> None:
        """What `command` prints and how it exits; other commands exit with 127."""
        self._answers[command] = (stdout, status)

    def connection(self, conn_id: str, conn_type: str = "sftp", **extra: Any) -> str:
        """Let a connection point here; the host key is checked."""
        return self._connect(
            conn_id,
            conn_type,
            host="127.0.0.1",
            port=self.port,
            login=USER,
            password=PASSWORD,
            extra={"host_key": self.host_key, "no_host_key_check": False, "look_for_keys": False} | extra,
        )

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        self._listener = self._wait(self._listen())
        self.port = self._listener.get_port()

    def stop(self) -> None:
        """Close the listener and what clients left open, and end the thread."""
        if self._listener is not None:
            self._wait(self._close(self._listener))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_DEADLINE)
        self._loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            lambda: _Login(self._connections),
            "127.0.0.1",
            0,
            server_host_keys=[self._host_key],
            process_factory=self._execute,
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(self.root)),
        )

    async def _close(self, listener: asyncssh.SSHAcceptor) -> None:
        listener.close()
        await listener.wait_closed()
        for connection in self._connections:
            connection.abort()
            await connection.wait_closed()

    def _execute(self, process: asyncssh.SSHServerProcess[str]) -> None:
        command = process.command or ""
        self.commands.append(command)
        stdout, status = self._answers.get(command, ("", 127))
        process.stdout.write(stdout)
        process.exit(status)

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_DEADLINE)


class _Login(asyncssh.SSHServer):
    def __init__(self, connections: list[asyncssh.SSHServerConnection]) -> None:
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connections.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@pytest.fixture
def sftp(tmp_path: Path, connect: Connect) -> Iterator[SshServer]:
    """A running server with an empty root."""
    root = tmp_path / "sftp"
    root.mkdir()
    server = SshServer(root, connect)
    server.start()
    yield server
    server.stop()
