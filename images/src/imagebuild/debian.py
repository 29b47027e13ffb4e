"""Debian packages without an installation: apt resolves and verifies, dpkg-deb unpacks, no script runs.

apt works on an empty private status file, so the host's own packages do not matter. A resolution is kept for
a day. Package metadata goes to /var/lib/dpkg/status.d, as distroless images have it, for scanners.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO

from imagebuild import process
from imagebuild.console import Console
from imagebuild.errors import BuildError
from imagebuild.hashing import digest
from imagebuild.settings import Settings

DAY = 86400.0
RELEASE = "bookworm"
_URI = re.compile(r"^'\S+' (\S+)_(\S+)_(\S+)\.deb (\d+)", re.MULTILINE)
_MERGED = re.compile(r"^(bin|sbin|lib|lib64)/")

# packages that a container never uses; leaving one out can break linking: tests/images checks every image
_NEVER = """
    perl perl-base perl-modules-5.36 libperl5.36 liberror-perl debconf dpkg tar adduser passwd
    git-man libpam-modules libpam-modules-bin libpam-runtime libsemanage2 libsemanage-common
    libsepol2 libgdbm-compat4 gcc-12-base sysvinit-utils lsb-base init-system-helpers
    libllvm14 libz3-4 postgresql-common postgresql-client-common ssl-cert openssl ucf
    sensible-utils libdb5.3 libaudit-common libsystemd-shared mawk debianutils mailcap libnsl2
    libtirpc3 libtirpc-common
"""
NEVER = frozenset(_NEVER.split())
#: file names (without the leading slash) that no image holds
DROP = (
    r"^usr/share/(doc|man|info|locale|lintian|bug|gitweb|bash-completion|perl5|zsh|linda|postgresql-common|i18n|menu"
    r"|pixmaps|applications|doc-base|gdb|binfmts)(/|$)",
    r"^usr/lib/x86_64-linux-gnu/(gconv|perl)",
    r"^etc/(init\.d|cron|logrotate|default|apparmor\.d|systemd|insserv|ufw|pam\.d)",
    r"^(usr/)?lib/(systemd|init|udev)",
    r"^var/(cache|log|lib/systemd)",
    r"llvmjit",
    r"usr/lib/x86_64-linux-gnu/(sasl2|ldap)",
    r"/bitcode(/|$)",
    r"^usr/lib/tmpfiles\.d",
    # modules of the standard library whose libraries are left out above
    r"lib-dynload/(_dbm|nis)\.",
)


@dataclass(frozen=True, order=True)
class Package:
    """One binary package at one version; `file` is its name in the cache of packages."""

    name: str
    version: str
    file: str
    size: int


class Debian:
    """apt and dpkg-deb with private folders below CACHE/images."""

    def __init__(self, settings: Settings, console: Console, *, refresh: bool = False) -> None:
        self._settings = settings
        self._console = console
        self._refresh = refresh
        self._debs = settings.folder("debs")

    def _options(self) -> list[str]:
        status = self._settings.cache / "apt" / "status"
        # an archive folder that stays empty: apt leaves what it already has out of --print-uris
        archives = self._settings.folder("apt/archives/partial").parent
        status.touch()
        return [
            "-o",
            "APT::Sandbox::User=root",
            "-o",
            "Debug::NoLocking=1",
            "-o",
            f"Dir::State::status={status}",
            "-o",
            f"Dir::Cache::archives={archives}",
        ]

    def resolve(self, names: Sequence[str], exclude: Iterable[str] = ()) -> list[Package]:
        """`names` and their hard dependencies without NEVER and `exclude`; asks apt at most once a day."""
        key = digest(1, sorted(names), sorted(exclude))[:16]
        cached = self._settings.folder("apt/resolved") / f"{key}.json"
        if not self._refresh and cached.exists() and time.time() - cached.stat().st_mtime < DAY:
            return [Package(*row) for row in json.loads(cached.read_text())]
        found = self._ask(names, frozenset(exclude))
        cached.write_text(json.dumps([[item.name, item.version, item.file, item.size] for item in found]))
        return found

    def _ask(self, names: Sequence[str], exclude: frozenset[str]) -> list[Package]:
        require_release()
        title = f"  apt: {' '.join(names)}"
        with self._console.step(title if len(title) < 90 else title[:87] + "..."):
            try:
                if self._refresh:
                    raise BuildError("asked for new package lists")
                found = self._simulate(names, exclude)
                self._download(found)
            except BuildError:  # no lists yet, or lists older than the mirror: once more with new ones
                process.run(["apt-get", "update"], self._settings.folder("logs") / "apt-update.log")
                found = self._simulate(names, exclude)
                self._download(found)
        return found

    def _simulate(self, names: Sequence[str], exclude: frozenset[str]) -> list[Package]:
        listing = process.output(
            ["apt-get", "-y", "--no-install-recommends", *self._options(), "--print-uris", "install", *names]
        )
        found = []
        for match in _URI.finditer(listing):
            name, version, arch, size = match.groups()
            if name not in exclude and (name not in NEVER or name in names):
                found.append(
                    Package(name, version.replace("%3a", ":"), f"{name}_{version}_{arch}.deb", int(size))
                )
        if not found:
            raise BuildError(f"apt resolved nothing for {' '.join(names)}")
        return sorted(found)

    def _missing(self, packages: Iterable[Package]) -> list[Package]:
        def absent(package: Package) -> bool:
            path = self._debs / package.file
            return not path.exists() or path.stat().st_size != package.size

        return [package for package in packages if absent(package)]

    def _download(self, packages: Iterable[Package]) -> None:
        missing = self._missing(packages)
        if (
            missing
        ):  # `apt-get download` verifies hashes against the signed lists, writes here, and takes no lock
            process.run(
                [
                    "apt-get",
                    *self._options(),
                    "download",
                    *[f"{item.name}={item.version}" for item in missing],
                ],
                self._settings.folder("logs") / "apt-download.log",
                cwd=self._debs,
            )

    def unpack(self, packages: Iterable[Package], tree: Path, drop: Sequence[str] = ()) -> None:
        """Unpack into `tree` with /usr merged, without DROP and `drop` (regular expressions)."""
        packages = list(packages)
        self._download(packages)
        unwanted = re.compile("|".join((*DROP, *drop)))
        with self._console.step(f"  unpack {len(packages)} packages of Debian"):
            self._unpack(packages, tree, unwanted)

    def _unpack(self, packages: Iterable[Package], tree: Path, unwanted: re.Pattern[str]) -> None:
        for package in packages:
            deb = self._debs / package.file
            _extract(deb, tree, unwanted)
            record = process.output(["dpkg-deb", "-f", deb])
            status = tree / "var/lib/dpkg/status.d" / package.name
            status.parent.mkdir(parents=True, exist_ok=True)
            status.write_text(record.replace("\nVersion:", "\nStatus: install ok unpacked\nVersion:", 1))

    def read_files(self, package: Package, prefix: str) -> str:
        """The joined text of a package's files below `prefix`, sorted by name."""
        self._download([package])
        with tempfile.TemporaryDirectory(dir=self._settings.folder("work")) as folder:
            _extract(self._debs / package.file, Path(folder), re.compile(r"^$"))
            files = sorted(path for path in (Path(folder) / prefix).rglob("*") if path.is_file())
            return "".join(path.read_text() for path in files)


def _extract(deb: Path, tree: Path, unwanted: re.Pattern[str]) -> None:
    with Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=PIPE) as program:
        stream: IO[bytes] | None = program.stdout
        if stream is None:
            raise BuildError("no output of dpkg-deb")
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for info in tar:
                _extract_one(tar, info, tree, unwanted)
        shutil.copyfileobj(stream, _Nowhere())
    if program.returncode:
        raise BuildError(f"dpkg-deb ended with code {program.returncode} for {deb.name}")


class _Nowhere:
    """Reads the rest of a stream away, so that dpkg-deb does not end by a broken pipe."""

    def write(self, data: bytes) -> int:
        return len(data)


def _extract_one(tar: tarfile.TarFile, info: tarfile.TarInfo, tree: Path, unwanted: re.Pattern[str]) -> None:
    name = info.name.removeprefix("./").removeprefix("/")
    if info.isdir() or name in ("", ".") or unwanted.search(name):
        return  # folders appear with their files, so that what is left out leaves no empty folder
    info.name = _MERGED.sub(r"usr/\1/", name)
    if info.islnk():
        info.linkname = _MERGED.sub(r"usr/\1/", info.linkname.removeprefix("./"))
    (tree / info.name).parent.mkdir(parents=True, exist_ok=True)
    tar.extract(info, tree, filter="fully_trusted", numeric_owner=True)


def require_release() -> None:
    """Package names and contents are those of one Debian release. Raises BuildError elsewhere."""
    text = Path("/etc/os-release").read_text() if os.path.exists("/etc/os-release") else ""
    if f"VERSION_CODENAME={RELEASE}" not in text or shutil.which("apt-get") is None:
        raise BuildError(
            f"images are put together from packages of Debian 12 ({RELEASE}) by this machine's apt-get, and "
            "this is another system: use the Containerfiles (see images/README.md)"
        )
