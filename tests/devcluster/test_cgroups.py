from __future__ import annotations

import os
from pathlib import Path

import pytest

from devcluster import processes
from devcluster.errors import UnsuitableMachineError
from devcluster.node import cgroups
from devcluster.node.cgroups import Hierarchy, Tree

V1 = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "name=systemd"]


def line(mount: str, kind: str, options: str) -> str:
    return f"30 23 0:26 / {mount} rw,relatime shared:9 - {kind} {kind} {options}\n"


def v1(controllers: list[str]) -> str:
    return "".join(line(f"/sys/fs/cgroup/{c}", "cgroup", f"rw,{c}") for c in controllers)


V2 = line("/sys/fs/cgroup", "cgroup2", "rw,nsdelegate")
OTHERS = line("/", "ext4", "rw") + line("/sys/fs/cgroup", "tmpfs", "rw,mode=755")


def test_version_one_with_a_hierarchy_per_controller() -> None:
    found = cgroups.hierarchies(OTHERS + v1(V1) + line("/sys/fs/cgroup/unified", "cgroup2", "rw"))
    assert found == [Hierarchy(Path(f"/sys/fs/cgroup/{c}"), (c,)) for c in V1]


def test_version_one_with_controllers_mounted_together() -> None:
    rest = [c for c in V1 if c not in ("cpu", "cpuacct")]
    found = cgroups.hierarchies(line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct") + v1(rest))
    assert found[0] == Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), ("cpu", "cpuacct"))


def test_version_two() -> None:
    assert cgroups.hierarchies(OTHERS + V2) == [Hierarchy(Path("/sys/fs/cgroup"), ())]


@pytest.mark.parametrize("text", [OTHERS, v1(["cpu", "memory"]), v1(["cpu", "memory"]) + V2])
def test_neither_complete_is_unsuitable(text: str) -> None:
    with pytest.raises(UnsuitableMachineError, match="neither complete v1 nor v2"):
        cgroups.hierarchies(text)


def test_daemons_of_version_two_have_a_group_of_their_own(tmp_path: Path) -> None:
    tree = Tree("node", (Hierarchy(tmp_path, ()),))
    assert tree.entrances(running=False) == [tmp_path / "node" / "cgroup.procs"]
    assert tree.entrances(running=True) == [tmp_path / "node" / "daemons" / "cgroup.procs"]


def test_members_are_those_of_all_nested_groups(tmp_path: Path) -> None:
    for folder, content in (("node", "1\n2\n"), ("node/pods/x", "3\n"), ("other", "4\n")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "cgroup.procs").write_text(content)
    assert Tree("node", (Hierarchy(tmp_path, ()),)).members() == {1, 2, 3}


def unified_mount() -> Path | None:
    """A cgroup v2 hierarchy of this machine; on a v1 machine it may be there with few controllers."""
    for entry in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in entry and os.access(entry.split(" ")[4], os.W_OK):
            return Path(entry.split(" ")[4])
    return None


@pytest.mark.e2e
@pytest.mark.skipif(unified_mount() is None, reason="needs a cgroup v2 hierarchy")
def test_version_two_settles_and_is_killed_and_removed_without_a_trace(tmp_path: Path) -> None:
    mount = unified_mount()
    assert mount is not None
    tree = Tree(f"devcluster-test-{os.getpid()}", (Hierarchy(mount, ()),))
    tree.create()
    try:
        enter = Path(cgroups.__file__).with_name("files") / "enter.sh"
        (entrance,) = tree.entrances(running=False)
        first = processes.start(["sh", str(enter), str(entrance), "--", "sleep", "600"], tmp_path / "log")
        assert processes.wait_until(lambda: tree.members() == {first.pid}, seconds=10)
        tree.settle()
        (root,) = tree.roots()
        assert (root / "cgroup.procs").read_text() == ""
        assert (root / "daemons" / "cgroup.procs").read_text() == f"{first.pid}\n"
        (entrance,) = tree.entrances(running=True)
        second = processes.start(["sh", str(enter), str(entrance), "--", "sleep", "600"], tmp_path / "log")
        assert processes.wait_until(lambda: tree.members() == {first.pid, second.pid}, seconds=10)
    finally:
        tree.kill()
        tree.remove()
    assert not first.alive()
    assert not second.alive()
    assert not tree.exists()
