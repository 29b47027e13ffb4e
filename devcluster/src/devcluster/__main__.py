"""The command line: ``devcluster COMMAND``."""

from __future__ import annotations

import argparse
import functools
import signal
import sys
from collections.abc import Sequence
from importlib import metadata
from types import FrameType

from devcluster.commands import COMMANDS, CONTROL_PLANE_NAME
from devcluster.console import Console
from devcluster.errors import DevclusterError
from devcluster.node.spec import DEFAULT_NAME
from devcluster.recipes import KUBERNETES, RECIPES

_DESCRIPTION = """\
A real one-node Kubernetes for a machine without Docker.

`up` builds Kubernetes from Go modules (once, some minutes) and starts a node in namespaces of its own:
containerd, kubelet, kube-proxy, CoreDNS, enforced NetworkPolicy, a default StorageClass. It needs root.
`up --control-plane` starts only etcd, API server and controllers, in seconds and without root.
"""
_EPILOG = """\
examples:
  devcluster up                                 start the node "dev"
  export KUBECONFIG=$(devcluster kubeconfig)    use it
  devcluster load image.tar                     bring an image into it (an OCI layout in a tar)
  devcluster logs kubelet -f                    watch a component
  devcluster down                               stop it; the next up is quick
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    raw = functools.partial(argparse.RawDescriptionHelpFormatter, max_help_position=28, width=110)
    top = argparse.ArgumentParser("devcluster", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=raw)
    top.add_argument("-q", "--quiet", action="store_true", help="no progress, only results and errors")
    version = f"devcluster {metadata.version('airflow-tenants-devcluster')}, Kubernetes {KUBERNETES}"
    top.add_argument("-V", "--version", action="version", version=version, help="show the versions and exit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, *, named: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", formatter_class=raw
        )
        if named:
            made.add_argument("--name", metavar="N", help=f'the cluster (default "{DEFAULT_NAME}")')
        return made

    building = command("build", "build everything a cluster needs, without starting one", named=False)
    building.add_argument("--control-plane", action="store_true", help="only what a control plane needs")
    up = command("up", "start a node, building what is missing; does nothing when it is up")
    up.add_argument(
        "--control-plane",
        action="store_true",
        help=f'only etcd, API server and controllers; no root needed (default name "{CONTROL_PLANE_NAME}")',
    )
    down = command("down", "stop a cluster and remove every trace of it but its data")
    down.add_argument("--purge", action="store_true", help="delete its data too (objects, images, volumes)")
    command("status", "list the clusters", named=False)
    load = command("load", "bring images into a node; quick for what it has already")
    load.add_argument("tars", nargs="+", metavar="IMAGE_TAR", help="an OCI image layout in a tar")
    command("kubeconfig", "print the path of the administrator's kubeconfig")
    logs = command("logs", "show the log of a component, for example kubelet")
    logs.add_argument(
        "component", metavar="COMPONENT", help="containerd, etcd, kube-apiserver, kubelet, netpol, ..."
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on as the log grows")
    logs.add_argument(
        "-n", "--lines", type=int, default=100, metavar="N", help="how many lines (default 100)"
    )
    shell = command("shell", "run a shell, or a command after --, inside the node")
    shell.add_argument("program", nargs="*", metavar="PROGRAM", help="program and arguments (default bash)")
    tool = command("tool", "print the path of a binary, building it when it is missing", named=False)
    tool.add_argument("tool", choices=sorted(RECIPES), metavar="NAME", help=", ".join(sorted(RECIPES)))
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parsed = parser().parse_args(arguments)
    console = Console(quiet=parsed.quiet)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return COMMANDS[parsed.command](parsed, console)
    except DevclusterError as error:
        console.error(str(error))
        return 1
    except KeyboardInterrupt:
        console.error("interrupted; what was started has been stopped")
        return 130
    except BrokenPipeError:
        return 1


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
    """Treat SIGTERM as Ctrl-C, so that a half-started cluster is taken down."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
