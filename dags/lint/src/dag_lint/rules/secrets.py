"""L-04: credentials in code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule

_STRONG = [
    ("a Slack webhook", re.compile(r"hooks\.slack(?:-gov)?\.com/(?:services|workflows)/[\w/-]{3,}")),
    ("a Teams webhook", re.compile(r"(?:[\w-]+\.webhook|outlook)\.office\.com/webhook(?:b2)?/[\w@/-]{8,}")),
    ("a Discord webhook", re.compile(r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{8,}")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a Slack token", re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,})")),
    ("a GitLab token", re.compile(r"\bglpat-[\w-]{18,}")),
    ("a Google API key", re.compile(r"\bAIza[\w-]{35}")),
    ("a Databricks token", re.compile(r"\bdapi[0-9a-f]{32}\b")),
    ("a key of an AI service", re.compile(r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    ("an Azure account key", re.compile(r"AccountKey=[A-Za-z0-9+/=]{40,}")),
]  # fmt: skip
_HINTS = re.compile(
    r"slack|office\.com|discord|AKIA|ASIA|xox|gh[pousr]_|github_pat|glpat|AIza|dapi|sk-|eyJ|PRIVATE KEY|"
    r"AccountKey"
)
_URI = re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@{}$<>'\"]+:([^@/\s{}$<>%'\"]{3,})@[\w.-]+")
_DSN = re.compile(r"(?i)(?<![\w.])(?:password|passwd|pwd)\s*=\s*['\"]?([^\s;&'\"{}$<>%()]{4,})")
_FLAG = re.compile(
    r"(?:^|\s)(?:-u\s+[\w.@-]+:([^\s'\"{}$:]{4,})|--password[= ]([^\s'\"{}$-][^\s'\"{}$]{3,}))"
)
_PASSWORD = re.compile(
    r"(?i)(?:^|[_-])(password|passwd|pwd|passphrase|pass_word)\d*$|^(?:.*[a-z])?(?:Password|Passwd)\d*$"
)
_TOKEN = re.compile(
    r"(?i)(?:^|[_-])(token|api_?key|secret_?key|access_?key|access_?key_?id|auth_?token|client_?secret|private_?key"
    r"|secret_?access_?key|webhook_?token|signing_?secret|account_?key|sas_?token)\d*$|^secret\d*$"
)
# `secret` is also the name of a Kubernetes Secret or of a place in a secret backend.
_PLACE = re.compile(r"^(?!(?:[0-9a-f]+-){4}[0-9a-f]+$)[a-z0-9]+(?:[-_./][A-Za-z0-9]+)+$")
_SCHEME = re.compile(r"(?i)^(?:bearer|basic|token|api-?key)\s+(?=\S+$)")
_PLACEHOLDER = re.compile(
    r"(?i)^(?:x+|\*+|\.+|-+|_+|none|null|empty|n/?a|todo|fixme|example|sample|dummy|placeholder|redacted|hidden|secret|token"
    r"|pass|passwords?|passwd|user|str|string|text|varchar|bytes|int|object|true|false)$|^<.*>$|your[_-]|change[_-]?me|"
    r"replace|insert[_-]|_here$|\{\{|\{|\$|%\(|^env:|^vault:|^arn:|^projects/|^/|\s"
)
_NAME_LIKE = re.compile(
    r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$|^[a-z]+(?:[_-][a-z]+)+\d{0,2}$|^[\w.-]+\.(?:json|pem|txt|key|yaml|yml)$"
)


@rule("L-04", "credentials-in-code", Severity.ERROR)
def credentials_in_code(ctx: Context) -> Iterator[Finding]:
    """No passwords, tokens, keys or webhook URLs in code.

    Code is copied, logged and kept for ever; everybody who reads the repository has the credential. Name a
    connection or a secret backend's key instead and read it while the task runs. Found are formats that are
    certain, anywhere in the file, and literal values of arguments, names and keys such as `password`;
    placeholders and templates are no finding.

    Bad:
        URL = "https://hooks.slack.com/services/T0AB12CD3/B0EF45GH6/abcdefghijklmnopqrstuvwx"
    Good:
        CONNECTION = "slack_alerts"
    """
    taken: set[int] = set()
    for finding in _patterns(ctx):
        taken.add(finding.line)
        yield finding
    for finding in _named(ctx):
        if finding.line not in taken:
            taken.add(finding.line)
            yield finding
    for finding in _inside_texts(ctx):
        if finding.line not in taken:
            yield finding


def _patterns(ctx: Context) -> Iterator[Finding]:
    if not _HINTS.search(ctx.source.text):
        return
    for number, line in enumerate(ctx.source.lines, 1):
        if not _HINTS.search(line):
            continue
        for what, pattern in _STRONG:
            match = pattern.search(line)
            if match:
                place = ast.Pass(
                    lineno=number, col_offset=len(line[: match.start()].encode()), end_lineno=number
                )
                yield ctx.finding(place, f"{what} in code; name a connection and read it in the task")
                break


def _named(ctx: Context) -> Iterator[Finding]:
    for node in ctx.source.of_type(ast.keyword, ast.Dict, ast.Assign, ast.AnnAssign, ast.arguments):
        for name, value in _pairs(node):
            if name == "auth" and isinstance(value, ast.Tuple) and _user_and_password(value):
                yield _report(ctx, value, name)
            if _secret(name, value, weak=not isinstance(node, ast.keyword)):
                yield _report(ctx, value, name)


def _pairs(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names with the values that the node gives them."""
    if isinstance(node, ast.keyword) and node.arg:
        yield node.arg, node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    elif isinstance(node, ast.Assign):
        yield from ((_target_name(target), node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield _target_name(node.target), node.value
    elif isinstance(node, ast.arguments):
        yield from _defaults(node)


def _defaults(node: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    names = [*node.posonlyargs, *node.args]
    for arg, default in zip(names[len(names) - len(node.defaults) :], node.defaults, strict=True):
        yield arg.arg, default
    for arg, given in zip(node.kwonlyargs, node.kw_defaults, strict=True):
        if given is not None:
            yield arg.arg, given


def _report(ctx: Context, node: ast.AST, name: str) -> Finding:
    return ctx.finding(node, f"`{name}` has a literal value; name a connection and read it in the task")


def _target_name(target: ast.AST) -> str:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return ""


def _secret(name: str, node: ast.AST, *, weak: bool) -> bool:
    """Whether a name of a secret gets a literal that looks like one."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    text, name = node.value, name.replace(".", "_")
    if name.lower() in {"authorization", "proxy-authorization"}:
        text = _SCHEME.sub("", text)
        return not _PLACEHOLDER.search(text) and _random(text)
    if len(text) < 4 or text.lower() == name.lower() or _PLACEHOLDER.search(text):
        return False
    if _PASSWORD.search(name):
        return not weak or not _NAME_LIKE.match(text)
    if name.lower().startswith("secret") and _PLACE.match(text):
        return False
    return bool(_TOKEN.search(name)) and _random(text)


def _random(text: str) -> bool:
    """Whether a text looks like a token: long, letters and digits, no name and no address."""
    digits = sum(char.isdigit() for char in text)
    varied = any(char.isalpha() for char in text) and (digits > 2 or (digits > 0 and not text.isidentifier()))
    return (
        len(text) >= 12
        and varied
        and not _NAME_LIKE.match(text)
        and "/" not in text[:1]
        and "://" not in text
    )


def _user_and_password(value: ast.Tuple) -> bool:
    texts = [item.value for item in value.elts if isinstance(item, ast.Constant)]
    if len(value.elts) != 2 or len(texts) != 2 or not all(isinstance(text, str) for text in texts):
        return False
    password = str(texts[1])
    return (
        len(password) >= 8
        and any(char.isdigit() for char in password)
        and not _PLACEHOLDER.search(password)
        and not _NAME_LIKE.match(password)
    )


def _inside_texts(ctx: Context) -> Iterator[Finding]:
    """Connection URIs, DSNs and command lines with a password in them."""
    for node in ctx.source.of_type(ast.Constant):
        if (
            not isinstance(node, ast.Constant)
            or not isinstance(node.value, str)
            or node in ctx.source.docstrings
        ):
            continue
        text = node.value
        if (
            "://" not in text
            and "assw" not in text.lower()
            and "pwd" not in text.lower()
            and "-u " not in text
        ):
            continue
        for pattern in (_URI, _DSN, _FLAG):
            match = pattern.search(text)
            value = next((group for group in match.groups() if group), "") if match else ""
            if value and not _PLACEHOLDER.search(value) and not _NAME_LIKE.match(value):
                yield ctx.finding(
                    node, "a text with a password in it; name a connection and read it in the task"
                )
                break
