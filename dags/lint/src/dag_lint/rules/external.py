"""Which functions talk to something outside."""

from __future__ import annotations

import ast

from dag_lint.context import Context
from dag_lint.values import Task

HTTP_VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "request"}
_CLIENTS = ("requests.", "httpx.", "urllib.request.urlopen", "boto3.", "aiohttp.", "smtplib.", "paramiko.")


def is_http_call(name: str) -> bool:
    """Whether the dotted name is a function that sends a request."""
    module, _, verb = name.rpartition(".")
    return module in {"requests", "httpx", "requests.api"} and verb in HTTP_VERBS


def is_hook_class(name: str) -> bool:
    """Whether the dotted name is the class of a hook."""
    short = name.rpartition(".")[2]
    return (
        short.endswith("Hook")
        and short[:1].isupper()
        and short not in {"BaseHook", "FSHook", "SubprocessHook"}
    )


def is_external_call(name: str) -> bool:
    """Whether a call of the dotted name reaches over the network."""
    return is_http_call(name) or is_hook_class(name) or any(name.startswith(client) for client in _CLIENTS)


def external_function(ctx: Context, task: Task) -> bool:
    """Whether the function that the task runs calls something outside, itself or by functions of the file."""
    if task.fn is None or task.is_sensor:
        return False
    seen: set[ast.AST] = set()
    waiting: list[ast.AST] = [task.fn.node]
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            if is_external_call(ctx.qualified(node.func)):
                return True
            if isinstance(node.func, ast.Name) and node.func.id in ctx.helpers:
                waiting.append(ctx.helpers[node.func.id])
    return False
