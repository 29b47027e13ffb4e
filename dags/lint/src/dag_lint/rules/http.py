"""L-30: requests over the network."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context, keyword
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule
from dag_lint.rules.external import HTTP_VERBS, is_http_call

_LOCAL = re.compile(
    r"^http://(?:localhost|127\.|0\.0\.0\.0|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|\[::1\]|host\.docker\.internal"
    r"|[\w-]+(?:[:/]|$)|[\w.-]+\.(?:svc|local|internal|cluster|lan|test|localdomain)(?:[:/.]|$))"
)


@rule("L-30", "safe-http", Severity.WARNING)
def safe_http(ctx: Context) -> Iterator[Finding]:
    """Outgoing HTTP has a timeout, uses https and verifies certificates.

    `requests` waits for ever by default, and the task with it. Without TLS or verification anybody on the
    way reads and changes what comes. Hosts inside (localhost, private addresses, cluster names) may be
    reached over http.

    Bad:
        import requests
        def fetch_rates():
            return requests.get("https://api.example.com/rates").json()
    Good:
        import requests
        def fetch_rates():
            return requests.get("https://api.example.com/rates", timeout=10).json()
    """
    sessions = _sessions(ctx)
    for call in ctx.calls():
        name = ctx.qualified(call.func)
        yield from _insecure(ctx, call, name)
        if is_http_call(name):
            yield from _request(ctx, call, name, needs_timeout=name.startswith("requests"))
        elif name == "urllib.request.urlopen":
            yield from _request(ctx, call, name, needs_timeout=len(call.args) < 3)
        elif (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in HTTP_VERBS
            and (
                isinstance(call.func.value, ast.Name)
                and (ctx.function_around(call), call.func.value.id) in sessions
            )
        ):
            yield from _request(ctx, call, f"{call.func.value.id}.{call.func.attr}", needs_timeout=True)


def _sessions(ctx: Context) -> set[tuple[ast.AST | None, str]]:
    """Names that hold a requests.Session, with the function they are in."""
    found: set[tuple[ast.AST | None, str]] = set()
    for node in ctx.source.of_type(ast.Assign, ast.withitem):
        value = node.value if isinstance(node, ast.Assign) else getattr(node, "context_expr", None)
        if not isinstance(value, ast.Call) or ctx.qualified(value.func) not in {
            "requests.Session",
            "requests.session",
        }:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "optional_vars", None)]
        found |= {(ctx.function_around(node), t.id) for t in targets if isinstance(t, ast.Name)}
    return found


def _request(ctx: Context, call: ast.Call, name: str, *, needs_timeout: bool) -> Iterator[Finding]:
    opened = any(item.arg is None for item in call.keywords) or any(
        isinstance(a, ast.Starred) for a in call.args
    )
    timeout = keyword(call, "timeout")
    if timeout is not None and isinstance(timeout.value, ast.Constant) and timeout.value.value is None:
        yield ctx.finding(timeout, f"`{name}` with timeout=None waits for ever; write for example timeout=10")
    elif timeout is None and needs_timeout and not opened:
        yield ctx.finding(call, f"`{name}` has no timeout; write for example timeout=10")
    position = 1 if name.endswith(".request") else 0
    url = keyword(call, "url")
    target = url.value if url else (call.args[position] if len(call.args) > position else None)
    text = _url(ctx, target)
    if text.startswith("http://") and not _LOCAL.match(text):
        yield ctx.finding(target or call, f"`{name}` without TLS: use https")


def _url(ctx: Context, node: ast.AST | None) -> str:
    if isinstance(node, ast.JoinedStr) and node.values:
        first = node.values[0]
        text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
        return text if len(text) > len("http://") else ""
    if isinstance(node, ast.Name):
        value = ctx.model.module.names.get(node.id)
        inside = getattr(value, "value", None)
        return inside if isinstance(inside, str) else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _insecure(ctx: Context, call: ast.Call, name: str) -> Iterator[Finding]:
    verify = keyword(call, "verify")
    if verify is not None and isinstance(verify.value, ast.Constant) and verify.value.value is False:
        yield ctx.finding(verify, "verify=False: certificates are not checked", severity=Severity.ERROR)
    if name in {"ssl._create_unverified_context"}:
        yield ctx.finding(call, "certificates are not checked", severity=Severity.ERROR)
    extra = keyword(call, "extra_options")
    if extra is not None and isinstance(extra.value, ast.Dict):
        for key, value in zip(extra.value.keys, extra.value.values, strict=True):
            named = isinstance(key, ast.Constant) and key.value == "verify"
            if named and isinstance(value, ast.Constant) and value.value is False:
                yield ctx.finding(
                    value, "verify=False: certificates are not checked", severity=Severity.ERROR
                )
