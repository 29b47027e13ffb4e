from __future__ import annotations

from pathlib import Path

import pytest

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
