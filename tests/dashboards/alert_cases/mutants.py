"""Mutants of an expression: every comparison turned round, opened or closed, every threshold moved."""

from __future__ import annotations

import re

_FLIPS = {
    ">": (">=", "<"),
    ">=": (">", "<"),
    "<": ("<=", ">"),
    "<=": ("<", ">"),
    "==": ("!=",),
    "!=": ("==",),
}
_COMPARISON = re.compile(r"(>=|<=|==|!=|>|<)(\s*)([0-9][0-9.]*(?:e[0-9]+)?)?")


def mutants(expr: str) -> dict[str, str]:
    """What was changed -> the changed expression. Label matchers stay."""
    matchers = [match.span() for match in re.finditer(r"\{[^}]*\}", expr)]
    made: dict[str, str] = {}
    for found in _COMPARISON.finditer(expr):
        if any(start <= found.start() < end for start, end in matchers):
            continue
        sign, gap, number = found.groups()
        changes = [f"{flip}{gap}{number or ''}" for flip in _FLIPS[sign]]
        if number and float(number):
            value = float(number)
            small = value < 10 and value.is_integer()  # a count: one more or less
            moved = (value - 1, value + 1) if small else (value * 0.7, value * 1.3)
            changes += [f"{sign}{gap}{other:g}" for other in moved]
        for change in changes:
            what = f"{found.start()}: {found[0].strip()} -> {change.strip()}"
            made[what] = expr[: found.start()] + change + expr[found.end() :]
    return made
