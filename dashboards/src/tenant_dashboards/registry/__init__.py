"""The metric registry: every metric that a board, an alert or a rule may use, and where it comes from.

`python -m tenant_dashboards.registry` makes `dashboards/generated/metrics.json` from the definitions of the
pinned Airflow, the operator's own metrics and the lists of this package. Reading it needs neither of them.
"""

from tenant_dashboards.registry.model import SOURCES, TYPES, Metric, Registry

__all__ = ["SOURCES", "TYPES", "Metric", "Registry"]
