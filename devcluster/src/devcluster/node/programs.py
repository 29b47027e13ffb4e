"""Everything that a node runs: binaries and images, built when they are missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devcluster import build, prerequisites
from devcluster.console import Console
from devcluster.node import images
from devcluster.node.containerd import Containerd
from devcluster.node.images import OwnImages
from devcluster.recipes import NODE, RECIPES


@dataclass(frozen=True)
class Programs:
    """The binaries by name, and the cluster's own images."""

    binaries: dict[str, Path]
    images: OwnImages

    @classmethod
    def ensure(cls, console: Console) -> Programs:
        """Build what is missing and install what the machine lacks."""
        prerequisites.ensure(prerequisites.NODE, console)
        # Never from PATH: the node must be what its recipes say.
        binaries = {name: build.build(RECIPES[name], console) for name in NODE}
        return cls(binaries, images.ensure(binaries["coredns"], console))

    def containerd(self) -> Containerd:
        """Return the programs that containerd consists of."""
        found = self.binaries
        shim = found["containerd-shim-runc-v2"]
        return Containerd(found["containerd"], shim, found["ctr"], found["runc"], found["cni"])
