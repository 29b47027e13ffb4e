"""Data and models: how fresh features are, how far data and models have drifted, does lineage arrive.

Airflow knows none of this: the DAGs send it (`features.*`, `drift.*`, `model.*`), OpenLineage's provider the
rest.
"""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import BAR_STEP, counted, sized
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import BLUE, RED, Kind, Panel, Row, Target, above

# The exporter forgets a gauge 15 minutes after its last packet, and a DAG sends it once a run.
_KNOWN = "2d"


def row() -> Row:
    """Feature freshness, drift, model quality, lineage."""
    first = sized(8, _freshness(), _drift(), _accuracy())
    return Row("Data and models", (*first, *sized(12, _bias(), _lineage())), collapsed=True)


def _last(metric: s.Metric, *labels: str) -> str:
    return f"max {expr.by(('tenant', *labels))} (last_over_time({metric(TENANT)}[{_KNOWN}]))"


def _freshness() -> Panel:
    return Panel(
        "Age of features",
        Kind.TIMESERIES,
        "Age of the newest value of each feature view, and how old it may get (dashed). Above its line the "
        "view is stale: models answer with old values. Look at the DAG that materializes it.",
        (
            Target(f"time() - {_last(s.FEATURES_WATERMARK, 'view')}", "{{tenant}} {{view}}"),
            Target(_last(s.FEATURES_TTL, "view"), "{{tenant}} {{view}} may be", spec=True),
        ),
        unit="s",
        no_data="no DAG sends features.watermark_timestamp_seconds",
    )


def _drift() -> Panel:
    return Panel(
        "Drift of columns",
        Kind.TIMESERIES,
        "Population stability index of each profiled column against its baseline, and the limit of the DAG "
        "(dashed). Below 0.1 is stable, from 0.25 on shifted: look at the source before a model learns from "
        "it.",
        (
            Target(_last(s.DRIFT_PSI, "dataset", "column"), "{{tenant}} {{dataset}}.{{column}}"),
            Target(_last(s.DRIFT_PSI_LIMIT, "dataset"), "{{tenant}} {{dataset}} limit", spec=True),
        ),
        unit="none",
        decimals=2,
        thresholds=above(0.1, 0.25),
        no_data="no DAG sends drift.psi",
    )


def _accuracy() -> Panel:
    return Panel(
        "Accuracy of models",
        Kind.TIMESERIES,
        "Accuracy of the model in use on the ground truth that came back, over its accuracy at training "
        "(dashed). The gap is the model's drift: a gap of 0.05 starts a training.",
        (
            Target(_last(s.MODEL_ACCURACY, "model"), "{{tenant}} {{model}}"),
            Target(_last(s.MODEL_ACCURACY_BASELINE, "model"), "{{tenant}} {{model}} at training", spec=True),
        ),
        unit="percentunit",
        max=1,
        no_data="no DAG sends model.accuracy",
    )


def _bias() -> Panel:
    return Panel(
        "Bias of new models",
        Kind.TIMESERIES,
        "Difference of a challenger's accuracy between groups of customers, and the limit (dashed). Above "
        "it the challenger is not promoted: look at the training data of the weaker group.",
        (
            Target(_last(s.MODEL_BIAS, "model"), "{{tenant}} {{model}}"),
            Target(_last(s.MODEL_BIAS_LIMIT, "model"), "{{tenant}} {{model}} limit", spec=True),
        ),
        unit="percentunit",
        no_data="no DAG sends model.bias",
    )


def _lineage() -> Panel:
    return Panel(
        "Lineage events",
        Kind.TIMESERIES,
        "OpenLineage events that were sent, by type, and the ones that failed. Failed ones are gaps in the "
        "lineage: look at the receiver's address in the tenant's config.",
        (
            Target(
                f"sum by (event_type) ({counted(s.OPENLINEAGE_EMIT.count(TENANT))})",
                "{{event_type}}",
                step=BAR_STEP,
            ),
            Target(
                f"sum by (tenant) ({counted(s.OPENLINEAGE_EMIT_FAILED(TENANT))})",
                "failed",
                step=BAR_STEP,
                color=RED,
                may_be_empty="Airflow counts failures only once there is one",
            ),
        ),
        unit="short",
        decimals=0,
        bars=True,
        stacked=True,
        colors=(("START", BLUE),),
        no_data="OpenLineage is off",
    )
