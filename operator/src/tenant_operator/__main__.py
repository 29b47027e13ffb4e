"""The composition root: settings in, adapters made, kopf and the controller run side by side."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import kopf
import yaml
from prometheus_client import disable_created_metrics
from pydantic import ValidationError

from tenant_operator.adapters import kube
from tenant_operator.adapters.airflow_sessions import AirflowSessions
from tenant_operator.adapters.exec import PodCommands
from tenant_operator.adapters.git_sync import GitSyncMetrics
from tenant_operator.adapters.helm import HelmRenderer
from tenant_operator.adapters.system import SystemClock, SystemTokens
from tenant_operator.core import kinds, settings
from tenant_operator.core import logging as log_setup
from tenant_operator.core.errors import KubeError
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.settings import Settings
from tenant_operator.handlers import routing, tenant
from tenant_operator.handlers.serving import serve
from tenant_operator.plan.monitoring import MonitoringDefaults
from tenant_operator.plan.values import Defaults
from tenant_operator.reconcile.airflow import AirflowFlow
from tenant_operator.reconcile.collector import TenantCollector
from tenant_operator.reconcile.controller import Controller
from tenant_operator.reconcile.fetch import FetchFlow
from tenant_operator.reconcile.finalize import Finalizer
from tenant_operator.reconcile.flow import Flow
from tenant_operator.reconcile.health import HealthFlow
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.watches import Watches

log = logging.getLogger("tenant_operator")


async def run(config: Settings, stop: asyncio.Event) -> None:
    """Run the operator until `stop` is set; ends what it began and leaves tenants as they are."""
    # A `_created` series beside each counter and histogram would double them and nobody reads it.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    metrics, clock = Metrics(), SystemClock()
    api = await kube.connect()
    client = kube.KubeClient(api, clock, metrics)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        renderer = HelmRenderer(
            config.chart_path, metrics, helm=config.helm, kube_version=await client.server_version()
        )
        metrics.build.labels(version("airflow-tenant-operator"), renderer.chart.version).set(1)
        for resource, price in config.prices.items():
            metrics.price(resource, config.cost_currency, price)
        sessions = AirflowSessions(config.airflow_url_template, metrics)
        stack.push_async_callback(sessions.close)
        defaults = await _defaults(config, client)
        index = Index()
        commands = PodCommands(api)
        stack.push_async_callback(commands.close)
        git = GitSyncMetrics()
        stack.push_async_callback(git.close)
        controller = Controller(
            Flow(client, renderer, index, clock, SystemTokens(), metrics, config, defaults),
            AirflowFlow(client, sessions, metrics, index, git),
            Finalizer(client, index, clock, config),
            index,
            Watches(client, index, metrics),
            metrics,
            config,
            HealthFlow(sessions, metrics),
            FetchFlow(client, commands, clock, metrics),
        )
        tenants = TenantCollector(lambda: controller.states)
        await stack.enter_async_context(
            serve(metrics, tenants, lambda: controller.ready, config.metrics_host, config.metrics_port)
        )
        registry = kopf.OperatorRegistry()
        tenant.register(registry, controller)
        log.info("started: chart %s, %d workers", renderer.chart.version, config.concurrency)
        await _until(
            stop,
            controller.run(),
            kopf.operator(registry=registry, clusterwide=True, standalone=True, stop_flag=stop),
        )
        log.info("stopped")


async def _defaults(config: Settings, client: kube.KubeClient) -> Defaults:
    """What the installation's file says; the Kubernetes API's own addresses from the cluster."""
    given: dict[str, Any] = {}
    if config.tenant_defaults_file is not None:
        given = yaml.safe_load(config.tenant_defaults_file.read_text()) or {}
    addresses = {host} if (host := os.environ.get("KUBERNETES_SERVICE_HOST")) else set()
    ports = {443}
    for item in await client.list(kinds.ENDPOINT_SLICE, "default", "kubernetes.io/service-name=kubernetes"):
        ports |= {int(port["port"]) for port in item.get("ports") or [] if port.get("port")}
        for endpoint in item.get("endpoints") or []:
            addresses |= set(endpoint.get("addresses") or [])
    return Defaults(
        images=given.get("images") or {},
        monitoring=_monitoring(given.get("monitoring") or {}),
        operator_namespace=config.operator_namespace,
        api_server_addresses=tuple(sorted(addresses)),
        api_server_ports=tuple(sorted(ports)),
    )


def _monitoring(given: dict[str, Any]) -> MonitoringDefaults:
    try:
        return MonitoringDefaults.model_validate(given)
    except ValidationError as error:
        raise SystemExit(f"wrong tenantDefaults.monitoring: {error}") from None


async def _until(stop: asyncio.Event, *coroutines: Any) -> None:
    """Run coroutines side by side until `stop` is set or one ends; one that fails raises here.

    kopf takes SIGTERM over and then returns, which is as good as `stop`.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        stop.set()
        stopped.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.wait([*tasks, stopped], timeout=20)


def main(argv: Sequence[str] | None = None) -> int:
    """The command `airflow-tenant-operator`; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="airflow-tenant-operator",
        description="Keeps every AirflowTenant of a cluster what its spec says.",
        epilog="Settings come from the environment: "
        + ", ".join(settings.VARIABLES)
        + ". The cluster is the one around the process, or that of KUBECONFIG.",
    )
    parser.add_argument("--version", action="version", version=version("airflow-tenant-operator"))
    routing.add_parser(parser.add_subparsers(dest="command", metavar="COMMAND", title="other commands"))
    arguments = parser.parse_args(argv)
    if arguments.command == routing.NAME:
        return routing.run(arguments)
    config = settings.from_environment()
    log_setup.configure(config.log_level, config.log_format)
    try:
        asyncio.run(_run_with_signals(config))
    except KubeError as error:
        log.error("cannot start: the Kubernetes API says: %s", error)
        return 1
    return 0


async def _run_with_signals(config: Settings) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await run(config, stop)


if __name__ == "__main__":
    sys.exit(main())
