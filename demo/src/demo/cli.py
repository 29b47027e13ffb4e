"""`demo up` and `demo down`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from demo import cluster, diagnosis, forwarder, steps
from demo.console import Console, duration
from demo.errors import DemoError
from demo.kube import Kube
from demo.samples import SAMPLES
from demo.state import state_directory, write_json
from demo.steps import Demo
from devcluster import target as targets
from devcluster.errors import DevclusterError
from imagebuild.errors import BuildError

INTERRUPTED = 130
STEPS = (steps.install, steps.apply_tenants, steps.run_dags, steps.push_commit, steps.edit_pool)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="demo", description="Two teams, two Airflows, one command.")
    parser.add_argument("--name", default=os.environ.get("DEMO_NAME", "demo"), help="name of the cluster")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="build, start and show everything; run it again to continue or repeat")
    down = commands.add_parser("down", help="stop the port forwards and remove the cluster")
    down.add_argument("--keep-cluster", action="store_true", help="stop the port forwards only")
    down.add_argument("--keep-data", action="store_true", help="keep tenants and images for the next start")
    arguments = parser.parse_args(argv)
    console = Console()
    state = state_directory(arguments.name)
    try:
        if arguments.command == "down":
            return _down(console, arguments, state)
        return _up(console, arguments.name, state)
    except KeyboardInterrupt:
        console.say("\nstopped. `make demo` goes on from here, `make demo-down` cleans up.")
        return INTERRUPTED
    except (DemoError, DevclusterError, BuildError) as exc:
        console.say(f"\nfailed: {exc}")
        return 1


def _up(console: Console, name: str, state: Path) -> int:
    started = time.monotonic()
    console.title("A cluster, the operator, and two teams")
    with cluster.opened(name, console) as base:
        demo = Demo(console, base, state)
        try:
            for step in STEPS:
                step(demo)
            urls = steps.open_urls(demo)
        except DemoError as exc:
            return _explain(console, base.kube, state, exc)
        seconds = time.monotonic() - started
        write_json(state / "last-run.json", {"total": seconds, "facts": demo.facts, "steps": console.timings})
        _finish(demo, urls, seconds)
    return 0


def _explain(console: Console, kube: Kube, state: Path, error: DemoError) -> int:
    console.say(f"\nfailed: {error}\n")
    file = state / "failure.txt"
    for line in diagnosis.report(kube, file):
        console.say(line)
    console.say(
        f"\nmore: {file}; `devcluster logs COMPONENT` for the node. `make demo` tries again from here."
    )
    return 1


def _finish(demo: Demo, urls: dict[str, str], seconds: float) -> None:
    console, kube = demo.console, demo.kube
    console.title("kubectl get aft")
    console.say(kube.kubectl("get", "aft").rstrip())
    console.title("Measured")
    for line in steps.facts_lines({**demo.facts, "all of it": seconds}):
        console.say(f"  {line}")
    console.title("Open")
    for sample in SAMPLES:
        console.say(f"  {sample.name:<10} {urls[sample.name]}   user admin, password from the Secret below")
    console.title("In a shell")
    for line in _commands(kube, demo.platform):
        console.say(f"  {line}")
    console.say(f"\nDone in {duration(seconds)}. `make demo-down` removes everything.")


def _commands(kube: Kube, platform: cluster.Platform) -> list[str]:
    password = "-o go-template='{{.data.password | base64decode}}{{\"\\n\"}}'"  # noqa: S105 - how to read it
    replicas = '{"spec":{"airflow":{"triggerer":{"replicas":2}}}}'
    return [
        f"export KUBECONFIG={shlex.quote(str(kube.kubeconfig))}",
        f"alias k={shlex.quote(str(kube.kubectl_path))} helm={shlex.quote(str(platform.helm))}",
        *(f"k -n {s.namespace} get secret {s.name}-admin {password}" for s in SAMPLES),
        "k get aft -w                                    # the tenants, as they change",
        "k describe aft payments                         # conditions and events",
        "k -n airflow-payments get pods,pvc,netpol       # what a team gets",
        f"k patch aft payments --type merge -p '{replicas}'",
        "k -n airflow-payments delete deployment payments-triggerer    # it comes back by itself",
        "helm ls -A                                      # every tenant is a Helm release to look at",
    ]


def _down(console: Console, arguments: argparse.Namespace, state: Path) -> int:
    with console.step("port forwards"):
        forwarder.stop(state)
    if arguments.keep_cluster:
        return 0
    target = targets.cluster_from_env(name=arguments.name)
    with console.step(f"cluster: {target.description}"):
        target.down(purge=not arguments.keep_data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
