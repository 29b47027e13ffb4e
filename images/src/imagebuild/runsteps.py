"""The few commands that the RUN instructions of a final stage may use, so that this builder can do the same.

`apt-get install`, `rm -rf`, `install -d`, a line for /etc/passwd or /etc/group, and `busybox --install`.
Everything else belongs into an earlier stage, where a recipe (`imagebuild.recipes`) takes its place.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from imagebuild.containerfile import ContainerfileError, Instruction

APT_INSTALL = ["apt-get", "install", "-y", "--no-install-recommends"]
#: commands that change nothing in the images made here: package lists are never in them, busybox is in the
#: base
NO_EFFECT = (
    ["apt-get", "update"],
    ["rm", "-rf", "/var/lib/apt/lists/*"],
    ["busybox", "--install", "-s", "/usr/local/bin"],
)


@dataclass(frozen=True)
class Folder:
    """`install -d -o UID -g GID -m MODE PATH`."""

    path: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class User:
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str

    def line(self) -> str:
        """As it stands in the file."""
        return f"{self.name}:x:{self.uid}:{self.gid}:{self.name}:{self.home}:{self.shell}\n"


@dataclass(frozen=True)
class RunStep:
    """What one RUN does, in our words."""

    packages: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()
    users: tuple[User, ...] = ()
    groups: tuple[tuple[str, int], ...] = ()


def read(item: Instruction) -> RunStep:
    """Understand a RUN instruction. Raises ContainerfileError for a command that is not in the list above."""
    packages: list[str] = []
    removed: list[str] = []
    folders: list[Folder] = []
    users: list[User] = []
    groups: list[tuple[str, int]] = []
    for command in _commands(item):
        match command:
            case [*words] if words in NO_EFFECT:
                pass
            case [*words] if words[:4] == APT_INSTALL:
                packages += words[4:]
            case ["rm", "-rf", *paths]:
                removed += paths
            case ["install", "-d", *words]:
                folders += _folders(words, item)
            case ["echo", line, ">>", "/etc/passwd"]:
                users.append(_user(line, item))
            case ["echo", line, ">>", "/etc/group"]:
                name, _, gid, *_rest = line.split(":")
                groups.append((name, int(gid)))
            case _:
                raise ContainerfileError(
                    f"line {item.line}: the builder cannot do {shlex.join(command)!r} in the "
                    "final stage: move it to an earlier stage"
                )
    return RunStep(tuple(packages), tuple(removed), tuple(folders), tuple(users), tuple(groups))


def _commands(item: Instruction) -> list[list[str]]:
    lexer = shlex.shlex(item.text, posix=True, punctuation_chars="&>|;()<")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word == "&&":
            commands.append([])
        elif set(word) & set("&|;()<") and not word.startswith("/"):
            raise ContainerfileError(f"line {item.line}: {word!r} in a RUN of the final stage")
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def _folders(words: list[str], item: Instruction) -> list[Folder]:
    options = {"-m": 0o755, "-o": 0, "-g": 0}
    paths = []
    rest = iter(words)
    for word in rest:
        if word in options:
            options[word] = int(next(rest), 8 if word == "-m" else 10)
        elif word.startswith("/"):
            paths.append(word)
        else:
            raise ContainerfileError(f"line {item.line}: install -d {word}")
    return [Folder(path, options["-m"], options["-o"], options["-g"]) for path in paths]


def _user(line: str, item: Instruction) -> User:
    fields = line.split(":")
    if len(fields) != 7:
        raise ContainerfileError(f"line {item.line}: not a line of /etc/passwd: {line}")
    name, _, uid, gid, _, home, shell = fields
    return User(name, int(uid), int(gid), home, shell)
