"""The lowest layer of every image but those `FROM scratch`: a Debian of about 20 MB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imagebuild import process
from imagebuild.debian import Debian, Package
from imagebuild.hashing import digest
from imagebuild.layers import LayerSource
from imagebuild.runsteps import User

PACKAGES = (
    "libc6",
    "libc-bin",
    "libssl3",
    "zlib1g",
    "libgcc-s1",
    "libstdc++6",
    "bash",
    "busybox-static",
    "base-files",
    "netbase",
    "tzdata",
    "ca-certificates",
    "dumb-init",
)
DROP = (
    r"^usr/share/zoneinfo/right/",
    r"usr/share/ca-certificates/",
    r"^usr/bin/(localedef|bashbug|ldd|pldd|tzselect|zdump|iconv|clear_console|rbash|catchsegv)$",
    r"^usr/sbin/(zic|iconvconfig|update-ca)",
    r"^etc/(skel|update-motd|motd|issue|bash)",
    r"^usr/share/(base-files|common-licenses)",
    r"libmvec",
)
#: applets of busybox that make no sense in a container
NO_APPLETS = frozenset({"busybox", "init", "linuxrc", "login", "su", "passwd", "modprobe", "insmod", "rmmod"})
USERS = (
    User("root", 0, 0, "/root", "/bin/sh"),
    User("daemon", 1, 1, "/usr/sbin", "/bin/false"),
    User("nobody", 65534, 65534, "/", "/bin/false"),
)
GROUPS = (("root", 0), ("daemon", 1), ("tty", 5), ("nogroup", 65534))
FOLDERS = (
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib64",
    "usr/local/bin",
    "etc",
    "proc",
    "sys",
    "dev",
    "run",
    "var/tmp",
    "var/lib",
    "var/log",
    "tmp",
    "root",
    "home",
    "opt",
    "mnt",
    "srv",
)
RECIPE = 2


def packages(debian: Debian) -> list[Package]:
    """The packages of the layer at the versions of today."""
    return debian.resolve(PACKAGES)


def source(debian: Debian) -> LayerSource:
    """The base layer."""
    found = packages(debian)

    def fill(tree: Path) -> None:
        _skeleton(tree)
        debian.unpack(found, tree, DROP)
        _applets(tree)
        _certificates(debian, found, tree)
        _settings(tree)

    return LayerSource("base", digest(RECIPE, found, DROP, USERS, GROUPS, FOLDERS, sorted(NO_APPLETS)), fill)


def _skeleton(tree: Path) -> None:
    for name in FOLDERS:
        (tree / name).mkdir(parents=True, exist_ok=True)
    (tree / "var/run").symlink_to("/run")
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    for name in ("tmp", "var/tmp"):
        (tree / name).chmod(0o1777)
    (tree / "root").chmod(0o700)


def _applets(tree: Path) -> None:
    """A link for every busybox applet that no real program provides."""
    for applet in process.output([tree / "usr/bin/busybox", "--list"]).split():
        places = [tree / folder / applet for folder in ("usr/bin", "usr/sbin")]
        if applet not in NO_APPLETS and not any(place.is_symlink() or place.exists() for place in places):
            places[0].symlink_to("busybox")


def _certificates(debian: Debian, found: Sequence[Package], tree: Path) -> None:
    """The public bundle from Debian's package, as its own script makes it: never this machine's."""
    package = next(item for item in found if item.name == "ca-certificates")
    bundle = tree / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text(debian.read_files(package, "usr/share/ca-certificates/mozilla"))
    places = tree / "usr/lib/ssl"
    places.mkdir(parents=True, exist_ok=True)
    for name, target in (("certs", "/etc/ssl/certs"), ("cert.pem", "/etc/ssl/certs/ca-certificates.crt")):
        if not (places / name).is_symlink():
            (places / name).symlink_to(target)


def _settings(tree: Path) -> None:
    names = (
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n"
    )
    (tree / "etc/nsswitch.conf").write_text(names)
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (tree / "etc/resolv.conf").write_text("")
    write_accounts(tree, (), ())
    if not (tree / "etc/localtime").is_symlink():
        (tree / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")


def write_accounts(tree: Path, users: Sequence[User], groups: Sequence[tuple[str, int]]) -> None:
    """passwd and group with the accounts of the base and more; without a group of its own a user gets one."""
    known = {gid for _, gid in (*GROUPS, *groups)}
    own = [(user.name, user.gid) for user in users if user.gid not in known]
    (tree / "etc").mkdir(exist_ok=True)
    (tree / "etc/passwd").write_text("".join(user.line() for user in (*USERS, *users)))
    (tree / "etc/group").write_text("".join(f"{name}:x:{gid}:\n" for name, gid in (*GROUPS, *groups, *own)))
