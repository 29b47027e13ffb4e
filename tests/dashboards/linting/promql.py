"""PromQL read by Prometheus itself: its parser answers with the syntax tree (``/api/v1/parse_query``)."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]

# each of Grafana's own variables gets a value that nobody writes by hand, so that it can be found in the tree
RATE_INTERVAL_MS = 77_777
VARIABLES = {
    "__rate_interval": f"{RATE_INTERVAL_MS}ms",
    "__interval": "11111ms",
    "__range": "5555s",
}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
# the growth of a counter that does not start at zero: signals.grown, which counts as increase()
_GROWN = re.compile(
    r"\(\((?P<x>\S+?) unless max_over_time\((?P=x)\[1h\] offset [^)]+\)\) or (?P<inc>increase\()"
)


class Invalid(Exception):
    """Prometheus refuses the expression."""


def filled(expr: str) -> str:
    """The expression as Grafana would send it, with `$tenant` and the like as `.+`."""
    return _VARIABLE.sub(lambda found: VARIABLES.get(found[1] or found[2], ".+"), expr)


class Parser:
    """Asks a running Prometheus; remembers every answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[str, Node] = {}

    def __call__(self, expr: str) -> Node:
        """The tree; raises Invalid."""
        query = filled(expr)
        if query not in self._known:
            self._known[query] = self._ask(query)
        return self._known[query]

    def _ask(self, query: str) -> Node:
        url = f"{self._url}/api/v1/parse_query"
        body = urllib.parse.urlencode({"query": query}).encode()
        try:
            with urllib.request.urlopen(url, body, timeout=10) as answer:  # noqa: S310 our own server
                tree: Node = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Invalid(json.load(error).get("error", "")) from error
        return tree


def walk(node: Node, parents: tuple[Node, ...] = ()) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Every node with its parents, the nearest last."""
    yield node, parents
    for value in node.values():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, dict) and child.get("type"):
                yield from walk(child, (*parents, node))


def selectors(tree: Node) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Every selector of series, with its parents."""
    return (
        (n, p) for n, p in walk(tree) if n["type"] in {"vectorSelector", "matrixSelector"} and n.get("name")
    )


def without_grown(expr: str) -> str:
    """The expression with the growth of late counters written as plain increase()."""
    return _GROWN.sub(r"(\g<inc>", expr)
