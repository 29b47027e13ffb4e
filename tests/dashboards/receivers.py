"""Where alerts arrive: one HTTP server for webhooks, Slack, PagerDuty and SNS, and one for mail."""

from __future__ import annotations

import json
import socketserver
import threading
from collections import defaultdict
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


class Receivers:
    """Keeps what was sent: `requests` by path, `mails` by address. Everything is answered with success."""

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.mails: dict[str, list[Message]] = defaultdict(list)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._http_handler())
        self._smtp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._smtp_handler())
        self._smtp.daemon_threads = True
        for server in (self._http, self._smtp):
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def smarthost(self) -> str:
        return f"127.0.0.1:{self._smtp.server_address[1]}"

    def stop(self) -> None:
        for server in (self._http, self._smtp):
            server.shutdown()
            server.server_close()

    def _http_handler(self) -> type[BaseHTTPRequestHandler]:
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = self.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
                requests[self.path].append(parse_qs(body) if form else json.loads(body))
                answer = b"<PublishResponse><PublishResult/></PublishResponse>" if form else b"ok"
                self.send_response(202 if self.path == "/pagerduty" else 200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it
                """Nothing is logged."""

        return Handler

    def _smtp_handler(self) -> type[socketserver.StreamRequestHandler]:
        mails = self.mails

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                recipients: list[str] = []
                self._say("220 ready")
                while line := self.rfile.readline().decode().strip():
                    verb = line[:4].upper()
                    if verb == "RCPT":
                        recipients.append(line.partition("<")[2].partition(">")[0])
                    if verb == "DATA":
                        self._say("354 go on")
                        self._keep(recipients)
                    self._say("221 bye" if verb == "QUIT" else "250 ok")
                    if verb == "QUIT":
                        return

            def _keep(self, recipients: list[str]) -> None:
                lines = []
                while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
                    lines.append(line.rstrip("\r\n"))
                for recipient in recipients:
                    mails[recipient].append(message_from_string("\n".join(lines)))

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        return Handler
