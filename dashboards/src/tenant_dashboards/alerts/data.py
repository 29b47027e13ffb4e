"""Data and models: what the DAGs of the library measure themselves (gauges over StatsD).

The exporter forgets a gauge after 15 minutes and most of these DAGs run daily, so the last value counts: what
is there now, else what came within 6 hours, else within the day. After a restart the exporter's series have
another pod, and of two values from the same span the newer one cannot be told.
"""

from __future__ import annotations

from tenant_dashboards.alerts.model import Alert, Link, of_tenant

AREA = "data"
_NEEDS = ("operator", "statsd", "DAGs that send these gauges")
_VIEW, _DATASET, _MODEL = "tenant, namespace, view", "tenant, namespace, dataset", "tenant, namespace, model"


def _last(metric: str, by: str, window: str = "1d") -> str:
    """The newest value of a gauge; by the span that it is from, as PromQL knows no order of time."""
    spans = (metric, *(f"last_over_time({metric}[{span}])" for span in ("6h", window)))
    return "(" + " or ".join(f"max by ({by}) ({span})" for span in spans) + ")"


ALERTS = (
    Alert(
        "AirflowFeatureViewStale",
        AREA,
        "P2",
        of_tenant(
            f"""
            time() - {_last("airflow_features_watermark_timestamp_seconds", _VIEW, "7d")}
              > {_last("airflow_features_ttl_seconds", _VIEW, "7d")}
            """
        ),
        "15m",
        "The features {{ $labels.view }} of tenant {{ $labels.tenant }} are stale",
        "Their newest value is {{ $value | humanizeDuration }} old, more than the view allows.",
        Link("slo"),
        _NEEDS,
        inhibited_by=("AirflowMetricsMissing",),
    ),
    Alert(
        "AirflowDataDrift",
        AREA,
        "P3",
        of_tenant(
            f"""
            {_last("airflow_drift_psi", f"{_DATASET}, column")}
              > on (tenant, namespace, dataset) group_left ()
            {_last("airflow_drift_psi_limit", _DATASET)}
            """
        ),
        "",
        "Column {{ $labels.column }} of {{ $labels.dataset }} (tenant {{ $labels.tenant }}) has drifted",
        'Its population stability index is {{ $value | printf "%.2f" }}, above the limit of the DAG.',
        Link("slo"),
        _NEEDS,
    ),
    Alert(
        "AirflowModelDrift",
        AREA,
        "P3",
        of_tenant(
            f"""
            {_last("airflow_model_accuracy_baseline", _MODEL)}
              - {_last("airflow_model_accuracy", _MODEL)} > 0.05
            """
        ),
        "",
        "Model {{ $labels.model }} of tenant {{ $labels.tenant }} has become worse",
        "Its accuracy is {{ $value | humanizePercentage }} below that of its training.",
        Link("slo"),
        _NEEDS,
    ),
    Alert(
        "AirflowModelBias",
        AREA,
        "P2",
        of_tenant(
            f"""
            {_last("airflow_model_bias", _MODEL)}
              > {_last("airflow_model_bias_limit", _MODEL)}
            """
        ),
        "",
        "A newly trained {{ $labels.model }} of tenant {{ $labels.tenant }} would serve one group worse",
        "Its accuracy differs by {{ $value | humanizePercentage }} between groups, more than the limit of "
        "the DAG.",
        Link("slo"),
        _NEEDS,
    ),
)
