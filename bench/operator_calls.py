"""API calls and CPU of the operator per create, per one-value change and at rest.

Runs the real operator under its own rights against a real API server without a node; pods are declared
running by the controller tests' stand-in for a kubelet. Calls are counted by the operator's own metrics
(watches apart), CPU by the operating system. `python -m bench.operator_calls [TENANTS]` prints a table.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path

from tests.controller.process import Operator
from tests.controller.stack import Stack, TenantUnderTest, running

_QUIET_SECONDS = 15
_SETTLE_SECONDS = 1.0


def calls(operator: Operator) -> dict[str, float]:
    """Requests so far, by method."""
    found: dict[str, float] = {}
    for (name, labels), value in operator.metrics().items():
        if name == "airflow_operator_kube_api_requests_total":
            method = dict(labels)["method"]
            found[method] = found.get(method, 0) + value
    return found


def cpu_seconds(operator: Operator) -> float:
    """CPU so far, that of ended Helm processes included."""
    fields = _proc(operator, "stat").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def resident_mib(operator: Operator) -> float:
    """Resident memory in MiB."""
    found = re.search(r"VmRSS:\s+(\d+)", _proc(operator, "status"))
    return int(found.group(1)) / 1024 if found else 0.0


def _proc(operator: Operator, file: str) -> str:
    pid = operator.process.pid if operator.process is not None else "self"
    return Path(f"/proc/{pid}/{file}").read_text()


def measure(stack: Stack, count: int) -> None:
    """Print one row per case."""
    operator = stack.operator
    before, cpu, started = calls(operator), cpu_seconds(operator), time.monotonic()
    tenants = [stack.create(prefix="bench") for _ in range(count)]
    _row("create", operator, tenants, before, cpu, started)
    before, cpu, started = calls(operator), cpu_seconds(operator), time.monotonic()
    for tenant in tenants:
        tenant.edit(airflow={"triggerer": {"replicas": 2}})
    _row("change one value", operator, tenants, before, cpu, started)
    total, cpu = sum(calls(operator).values()), cpu_seconds(operator)
    time.sleep(_QUIET_SECONDS)
    share = (cpu_seconds(operator) - cpu) / _QUIET_SECONDS * 100
    made = sum(calls(operator).values()) - total
    print(f"no change for {_QUIET_SECONDS} s  {made:5.1f} calls, {share:.2f} % of a core")
    print(f"resident memory: {resident_mib(operator):.0f} MiB with {count} tenants")
    objects = len(tenants[0].inventory())
    print(f"objects of a release: {objects} (apart from the namespace, 6 Secrets, the Helm record)")


def _row(
    label: str,
    operator: Operator,
    tenants: list[TenantUnderTest],
    before: dict[str, float],
    cpu: float,
    started: float,
) -> None:
    for tenant in tenants:
        tenant.wait_released()
    took = time.monotonic() - started
    time.sleep(_SETTLE_SECONDS)
    by_method = {m: (n - before.get(m, 0)) / len(tenants) for m, n in sorted(calls(operator).items())}
    details = " ".join(f"{method} {number:.1f}" for method, number in by_method.items() if number)
    milliseconds = (cpu_seconds(operator) - cpu) * 1000 / len(tenants)
    print(
        f"{label:<18} {sum(by_method.values()):6.1f} calls ({details}), "
        f"{milliseconds:4.0f} CPU-ms per tenant, {took:.1f} s in all"
    )


def main(count: int) -> None:
    """Start everything in a temporary folder, measure, remove it."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as stack:
        measure(stack, count)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
