"""The cluster that tests and the demonstration run against, chosen by the environment.

``CLUSTER=devcluster`` (the default) is a node of our own; ``CLUSTER=kind`` one in Docker, made by kind;
``CLUSTER=current`` whatever KUBECONFIG points at, which is also the default once KUBECONFIG is set.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from devcluster import cache
from devcluster.console import Console
from devcluster.errors import DevclusterError
from devcluster.node.lifecycle import Node
from devcluster.node.spec import DEFAULT_NAME

LOAD_COMMAND = "CLUSTER_LOAD_COMMAND"
_KIND_SECONDS = 900


class Target(Protocol):
    """A cluster that can be used; DevclusterError says what is wrong when it cannot."""

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of its administrator; the file exists once the cluster is up."""
        ...

    @property
    def description(self) -> str:
        """What to call it in output, for example ``devcluster node "dev"``."""
        ...

    def ensure_up(self) -> None:
        """Have it running; quick when it is already."""
        ...

    def load(self, tars: Sequence[Path]) -> None:
        """Make the images of these OCI layout tars usable by pods; quick for images that are there."""
        ...

    def down(self, purge: bool) -> None:
        """Take it down; ``purge`` also removes what would make the next start fast."""
        ...


@dataclass(frozen=True)
class DevclusterTarget:
    """A node of our own on this machine."""

    node: Node
    console: Console = field(default_factory=Console)

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig for use from the machine."""
        return self.node.spec.kubeconfig

    @property
    def description(self) -> str:
        """What to call it."""
        return f'devcluster node "{self.node.spec.name}"'

    def ensure_up(self) -> None:
        """Build what is missing and start the node."""
        self.node.up(self.console)

    def load(self, tars: Sequence[Path]) -> None:
        """Import what the node does not have yet, layer by layer."""
        self.node.load(tars, self.console)

    def down(self, purge: bool) -> None:
        """Take the node down; its data stays unless ``purge`` is set."""
        self.node.down(purge=purge)


@dataclass(frozen=True)
class KindTarget:
    """A cluster made by kind (https://kind.sigs.k8s.io) in Docker or Podman."""

    name: str
    console: Console = field(default_factory=Console)

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of its own: the user's ~/.kube/config stays as it is."""
        return cache.clusters() / f"kind-{self.name}" / "kubeconfig"

    @property
    def description(self) -> str:
        """What to call it."""
        return f'kind cluster "{self.name}"'

    def ensure_up(self) -> None:
        """Create the cluster, or export its kubeconfig when it exists."""
        if shutil.which("kind") is None:
            raise DevclusterError(
                "CLUSTER=kind needs `kind` on PATH (https://kind.sigs.k8s.io) and Docker or Podman."
            )
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        where = ["--name", self.name, "--kubeconfig", str(self.kubeconfig)]
        if self.name in _run(["kind", "get", "clusters"]).split():
            _run(["kind", "export", "kubeconfig", *where])
            return
        with self.console.step(f"creating {self.description}"):
            _run(["kind", "create", "cluster", "--wait", "180s", *where])

    def load(self, tars: Sequence[Path]) -> None:
        """Load every tar with ``kind load image-archive``."""
        for tar in tars:
            with self.console.step(f"loading {tar.stem}"):
                _run(["kind", "load", "image-archive", str(tar), "--name", self.name])

    def down(self, purge: bool) -> None:  # noqa: ARG002 - kind can only delete
        """Delete the cluster: kind cannot keep one for later."""
        _run(["kind", "delete", "cluster", "--name", self.name, "--kubeconfig", str(self.kubeconfig)])


@dataclass(frozen=True)
class CurrentTarget:
    """The cluster of the user's KUBECONFIG: used as it is, never started or stopped."""

    kubeconfig: Path
    load_command: str = ""
    console: Console = field(default_factory=Console)

    @property
    def description(self) -> str:
        """What to call it."""
        return f"the cluster of {self.kubeconfig}"

    def ensure_up(self) -> None:
        """Check that the kubeconfig exists."""
        if not self.kubeconfig.is_file():
            raise DevclusterError(
                f"CLUSTER=current: there is no kubeconfig {self.kubeconfig}; set KUBECONFIG."
            )

    def load(self, tars: Sequence[Path]) -> None:
        """Run the user's load command for every tar; without one, images are expected to be pullable."""
        if not self.load_command:
            self.console.info(
                f"Images are not loaded into {self.description}: it must be able to pull them, "
                f'or set {LOAD_COMMAND}, for example "k3d image import {{tar}}".'
            )
            return
        for tar in tars:
            words = [word.replace("{tar}", str(tar)) for word in shlex.split(self.load_command)]
            with self.console.step(f"loading {tar.stem}"):
                _run(words if "{tar}" in self.load_command else [*words, str(tar)])

    def down(self, purge: bool) -> None:
        """Leave the cluster alone."""


def cluster_from_env(
    name: str = DEFAULT_NAME,
    *,
    environment: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> Target:
    """Return the cluster that CLUSTER and KUBECONFIG ask for; raise DevclusterError for an unknown CLUSTER.

    ``name`` is the name of the devcluster node or the kind cluster.
    """
    values = os.environ if environment is None else environment
    console = console or Console()
    kind = values.get("CLUSTER") or ("current" if values.get("KUBECONFIG") else "devcluster")
    if kind == "devcluster":
        return DevclusterTarget(Node.named(name), console)
    if kind == "kind":
        return KindTarget(name, console)
    if kind == "current":
        paths = [path for path in values.get("KUBECONFIG", "").split(os.pathsep) if path]
        if len(paths) > 1:
            raise DevclusterError("CLUSTER=current needs a KUBECONFIG of one file, not a list.")
        path = Path(paths[0]) if paths else Path.home() / ".kube" / "config"
        return CurrentTarget(path.resolve(), values.get(LOAD_COMMAND, ""), console)
    raise DevclusterError(f"CLUSTER={kind} is unknown; use devcluster, kind or current.")


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_KIND_SECONDS)
    except FileNotFoundError:
        raise DevclusterError(f"{command[0]} is not on PATH.") from None
    except subprocess.TimeoutExpired:
        raise DevclusterError(f"`{shlex.join(command)}` took longer than {_KIND_SECONDS} seconds.") from None
    if done.returncode != 0:
        raise DevclusterError(f"`{shlex.join(command)}` failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout
