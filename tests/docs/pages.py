r"""The commands of the documentation's pages, for tests that run them as a reader would.

A block fenced as `console` holds commands that run, in the order of the page: one a line, without prompt,
output, pipes or redirections; ` \` at a line's end joins it with the next. What does not run is fenced as
`text`, `yaml` or `bash`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.state import project_root

ROOT = project_root()
#: What a shell would do with these, an argument list cannot say.
_SHELL = re.compile(r"[|<>`;\\]|&&|\$\(|(^|\s)#")
_VARIABLE = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Command:
    """One command, and where it stands."""

    page: str
    heading: str
    number: int
    line: str

    @property
    def variables(self) -> set[str]:
        """Names of the variables that the reader sets before."""
        return set(_VARIABLE.findall(self.line))

    def argv(self, variables: Mapping[str, str]) -> list[str]:
        """The arguments with all variables replaced; KeyError names one that has no value."""
        return [_VARIABLE.sub(lambda name: variables[name[1]], word) for word in shlex.split(self.line)]

    def __str__(self) -> str:
        return f"{self.page}:{self.number}: {self.line}"


def commands(page: str, heading: str = "") -> list[Command]:
    """The page's commands in order, of one second-level heading or of all.

    ValueError for a line that is no plain command, and for a heading without any.
    """
    found = [command for command in _commands(page) if heading in ("", command.heading)]
    if heading and not found:
        raise ValueError(f"{page} has no commands under {heading!r}")
    return found


def _commands(page: str) -> Iterator[Command]:
    heading, fence, begun = "", "", ""
    for number, line in enumerate((ROOT / Path(page)).read_text().splitlines(), 1):
        if line.startswith("```"):
            fence = "" if fence else (line[3:].strip() or "text")
        elif fence == "console" and line.endswith(" \\"):
            begun += f"{line[:-2].strip()} "
        elif fence == "console" and line.strip():
            command = begun + (line.strip() if begun else line)
            if command != command.strip() or command.startswith("$ ") or _SHELL.search(command):
                raise ValueError(f"{page}:{number}: not one plain command: {command}")
            yield Command(page, heading, number, command)
            begun = ""
        elif not fence and line.startswith("## "):
            heading = line[3:].strip()


def headings(page: str) -> list[str]:
    """The page's second-level headings."""
    return re.findall(r"^## (.+)$", (ROOT / page).read_text(), re.MULTILINE)
