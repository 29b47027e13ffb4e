"""Expressions of the boards on series written for the case, computed by promtool with Prometheus' engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from devcluster.tools import tool

Samples = dict[str, float]  # labels as in PromQL, `{tenant="a"}` -> value


def fill(expr: str, **variables: str) -> str:
    """Put values where Grafana would; what is not named becomes `.+`."""
    known = {"tenant": ".+", "namespace": ".+", "__rate_interval": "5m", "__interval": "1m", "__range": "1h"}
    for name, value in {**known, **variables}.items():
        expr = expr.replace(f"${name}", value)
    return expr


def assert_gives(
    folder: Path, series: dict[str, str], expr: str, expected: Samples, *, at: str = "1h", **variables: str
) -> None:
    """Fail unless the expression gives exactly these samples at this time; series as promtool writes them.

    https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series
    """
    case = {
        "evaluation_interval": "1m",
        "fuzzy_compare": True,
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": fill(expr, **variables),
                        "eval_time": at,
                        "exp_samples": [{"labels": k, "value": v} for k, v in expected.items()],
                    }
                ],
            }
        ],
    }
    file = folder / "case.yaml"
    file.write_text(yaml.safe_dump(case), encoding="utf-8")
    run = subprocess.run(
        [tool("promtool"), "test", "rules", str(file)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, f"{fill(expr, **variables)}\n{run.stdout}{run.stderr}"
