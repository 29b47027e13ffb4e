"""Which rules run: --select, --ignore, the configuration, and the conventions that are off by default."""

from __future__ import annotations

from fnmatch import fnmatch

from dag_lint import rules as _rules
from dag_lint.config import CONVENTIONS, Config, ConfigError
from dag_lint.registry import RULES

assert _rules.LOADED  # noqa: S101 (importing the package fills the table)


def default_rules() -> set[str]:
    """Rules that are on for any repository."""
    return {rule.id for rule in RULES.values() if not rule.convention}


def expand(names: list[str]) -> set[str]:
    """Rule ids of `L-04`, `l-4`, `ALL`, `default` or `conventions`; ConfigError names what is unknown."""
    found: set[str] = set()
    for name in names:
        word = name.strip()
        if word.upper() == "ALL":
            found |= set(RULES)
        elif word.lower() == CONVENTIONS:
            found |= {rule.id for rule in RULES.values() if rule.convention}
        elif word.lower() == "default":
            found |= default_rules()
        else:
            found.add(normal_id(word))
    return found


def normal_id(word: str) -> str:
    """`l-4`, `L4`, `L-04` are all L-04. Raises ConfigError for an id that does not exist."""
    digits = word.upper().removeprefix("L").removeprefix("-")
    made = f"L-{int(digits):02d}" if digits.isdecimal() and word[:1].upper() == "L" else word
    if made not in RULES:
        raise ConfigError(f"unknown rule {word!r}; --list-rules prints them")
    return made


def selected(config: Config, select: list[str], ignore: list[str]) -> set[str]:
    """The rules to run: command line before file, `ignore` last. L-00 always runs unless it is ignored."""
    chosen = expand(select) if select else (expand(config.select) if config.select else default_rules())
    if not select:
        chosen |= expand(config.extend_select)
    chosen -= expand(ignore) | (expand(config.ignore) - expand(select))
    return chosen


def ignored_for(config: Config, relative: str) -> set[str]:
    """Rules that the configuration turns off for a file."""
    found: set[str] = set()
    for glob, ids in config.per_file_ignores.items():
        if fnmatch(relative, glob) or fnmatch("/" + relative, "*/" + glob):
            found |= expand(ids)
    return found
