"""Read a Containerfile: the one definition of an image.

Understood: ARG with a default before FROM, FROM [AS], COPY [--from --chmod --chown], RUN, ENV, LABEL, USER,
WORKDIR, EXPOSE, VOLUME, STOPSIGNAL, and ENTRYPOINT and CMD in JSON form. Anything else is an error, never
ignored.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagebuild.errors import BuildError
from imagebuild.oci import Config

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
SCRATCH = "scratch"


class ContainerfileError(BuildError):
    """The file says something that this builder does not do."""


@dataclass(frozen=True)
class Instruction:
    """One instruction; `text` is what follows the keyword, continuation lines joined."""

    keyword: str
    text: str
    line: int


@dataclass(frozen=True)
class Copy:
    """COPY. `stage` is empty for the build context; `mode` is None when no --chmod is given."""

    sources: tuple[str, ...]
    target: str
    stage: str = ""
    mode: int | None = None
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Stage:
    """One FROM and what follows it."""

    name: str
    base: str
    instructions: tuple[Instruction, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Containerfile:
    """All stages; the last one is the image."""

    path: Path
    stages: tuple[Stage, ...]

    @property
    def final(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]

    @property
    def stage_names(self) -> frozenset[str]:
        """Names that COPY --from may use."""
        return frozenset(stage.name for stage in self.stages if stage.name)

    def config(self) -> Config:
        """Everything that the final stage says about running the image."""
        return _config(self.final.instructions)


def read(path: Path) -> Containerfile:
    """Parse a file. Raises ContainerfileError with the file and line."""
    try:
        return parse(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError as error:
        raise ContainerfileError(f"there is no {path}") from error


def parse(text: str, path: Path) -> Containerfile:
    """Parse a text; `path` is for messages."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for item in _instructions(text, path):
        if item.keyword == "ARG":
            name, _, default = item.text.partition("=")
            if not stages:
                arguments[name] = default
        elif item.keyword == "FROM":
            stages.append(_from(item, arguments, path))
        elif not stages:
            raise ContainerfileError(f"{path}:{item.line}: {item.keyword} before FROM")
        else:
            last = stages[-1]
            stages[-1] = Stage(last.name, last.base, (*last.instructions, item))
    if not stages:
        raise ContainerfileError(f"{path}: no FROM")
    return Containerfile(path, tuple(stages))


def _instructions(text: str, path: Path) -> Iterator[Instruction]:
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("#") or (not line and not pending):
            continue
        start = start if pending else number
        pending += line.removesuffix("\\").rstrip() + " "
        if line.endswith("\\"):
            continue
        keyword, _, rest = pending.strip().partition(" ")
        pending = ""
        if "<<" in rest:
            raise ContainerfileError(f"{path}:{start}: here-documents are not supported")
        yield Instruction(keyword.upper(), rest.strip(), start)
    if pending:
        raise ContainerfileError(f"{path}:{start}: unfinished line")


def _from(item: Instruction, arguments: Mapping[str, str], path: Path) -> Stage:
    words = item.text.split()
    name = words[2] if len(words) == 3 and words[1].upper() == "AS" else ""
    if len(words) != (3 if name else 1):
        raise ContainerfileError(f"{path}:{item.line}: FROM {item.text}")
    return Stage(name, substitute(words[0], arguments))


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Replace $NAME and ${NAME}. Raises ContainerfileError for an unknown name."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        if name not in variables:
            raise ContainerfileError(f"unknown variable {name} in {text!r}")
        return variables[name]

    return _VARIABLE.sub(value, text)


def copy_of(item: Instruction) -> Copy:
    """Read a COPY instruction. --chown must be numeric, so that no passwd file is needed."""
    words = shlex.split(item.text)
    flags = {
        name[2:]: value for name, _, value in (word.partition("=") for word in words) if name[:2] == "--"
    }
    names = [word for word in words if not word.startswith("--")]
    unknown = set(flags) - {"from", "chmod", "chown"}
    if unknown or len(names) < 2:
        raise ContainerfileError(f"line {item.line}: COPY {item.text}")
    uid, _, gid = flags.get("chown", "0:0").partition(":")
    return Copy(
        tuple(names[:-1]),
        names[-1],
        flags.get("from", ""),
        int(flags["chmod"], 8) if "chmod" in flags else None,
        int(uid),
        int(gid or uid),
    )


def pairs(text: str) -> dict[str, str]:
    """NAME=value words of ENV and LABEL, quoted as in a shell."""
    found = {}
    for word in shlex.split(text):
        name, sign, value = word.partition("=")
        if not sign:
            raise ContainerfileError(f"write NAME=value, not {text!r}")
        found[name] = value
    return found


def _json_words(item: Instruction) -> tuple[str, ...]:
    try:
        words = json.loads(item.text)
    except ValueError as error:
        raise ContainerfileError(f"line {item.line}: {item.keyword} must be a JSON list") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ContainerfileError(f"line {item.line}: {item.keyword} must be a JSON list of texts")
    return tuple(words)


def _port(text: str) -> str:
    return text if "/" in text else f"{text}/tcp"


def _config(instructions: Iterable[Instruction]) -> Config:
    words: dict[str, tuple[str, ...]] = {"ENTRYPOINT": (), "CMD": (), "EXPOSE": (), "VOLUME": ()}
    single = {"USER": "", "WORKDIR": "", "STOPSIGNAL": ""}
    named: dict[str, dict[str, str]] = {"ENV": {}, "LABEL": {}}
    for item in instructions:
        if item.keyword not in {"RUN", "COPY"} and "$" in item.text:
            raise ContainerfileError(f"line {item.line}: variables are not supported in {item.keyword}")
        if item.keyword in named:
            named[item.keyword].update(pairs(item.text))
        elif item.keyword in single:
            single[item.keyword] = item.text
        elif item.keyword == "EXPOSE":
            words["EXPOSE"] += tuple(_port(word) for word in item.text.split())
        elif item.keyword in words:
            words[item.keyword] = _json_words(item)
        elif item.keyword not in {"RUN", "COPY"}:
            raise ContainerfileError(f"line {item.line}: {item.keyword} is not supported")
    return Config(
        entrypoint=words["ENTRYPOINT"],
        cmd=words["CMD"],
        env=named["ENV"],
        user=single["USER"],
        workdir=single["WORKDIR"],
        ports=words["EXPOSE"],
        volumes=words["VOLUME"],
        labels=named["LABEL"],
        stop_signal=single["STOPSIGNAL"],
    )
