"""A mail server that keeps what it gets."""

from __future__ import annotations

import email
import email.message
import email.policy
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.airflow.server import free_port
from tests.dags.services.connections import Connect


class MailServer:
    """`messages` in the order of arrival; `envelopes` beside them (mail_from, rcpt_tos)."""

    def __init__(self, connect: Connect) -> None:
        self.messages: list[email.message.EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.logins: list[tuple[str, str, bool]] = []  # name, password, whether over TLS
        self.port = free_port()
        self._connect = connect

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Called by the server for each mail."""
        content: Any = envelope.content
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, email.message.EmailMessage)
        self.messages.append(message)
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        """Called by a server that wants people to log in; takes everybody."""
        self.logins.append((data.login.decode(), data.password.decode(), session.ssl is not None))
        return AuthResult(success=True)

    def connection(self, conn_id: str = "smtp_default", **extra: Any) -> str:
        """Let a connection point here; without TLS, which the sink does not speak."""
        return self._connect(
            conn_id,
            "smtp",
            host="127.0.0.1",
            port=self.port,
            extra={"disable_tls": True, "disable_ssl": True, "from_email": "airflow@example.com"} | extra,
        )


@pytest.fixture
def smtp(connect: Connect) -> Iterator[MailServer]:
    """A running mail server; `smtp_default` points to it."""
    mail = MailServer(connect)
    controller = Controller(mail, hostname="127.0.0.1", port=mail.port)
    controller.start()
    mail.connection()
    yield mail
    controller.stop()


@pytest.fixture
def smtp_starttls(
    connect: Connect, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MailServer]:
    """A mail server that takes mail over STARTTLS only, and from those who log in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.crt", certificate / "server.key")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "server.crt"))
    mail = MailServer(connect)
    controller = Controller(
        mail,
        hostname="127.0.0.1",
        port=mail.port,
        tls_context=context,
        require_starttls=True,
        authenticator=mail.authenticate,
        auth_required=True,
    )
    controller.start()
    yield mail
    controller.stop()
