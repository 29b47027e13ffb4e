"""PromQL that several panels and rules share. Functions take metrics of :mod:`signals` and return text.

Matchers come first and are the caller's: boards pass :data:`TENANT` or :data:`NAMESPACE`, rules none.
"""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards.signals import Metric

TENANT = 'tenant=~"$tenant"'
TENANT_OR_NONE = 'tenant=~"|$tenant"'  # what is about the platform carries no tenant
NAMESPACE = 'namespace=~"$namespace"'
OPERATOR = 'job="airflow-operator"'
RATE = "$__rate_interval"
PER_TENANT = ("tenant", "namespace")


def by(labels: tuple[str, ...] | str) -> str:
    """``by (a, b)``."""
    names = labels if isinstance(labels, str) else ", ".join(labels)
    return f"by ({names})"


def summed(metric: Metric, *matchers: str, group: tuple[str, ...] | str) -> str:
    """The sum of a gauge by these labels."""
    return f"sum {by(group)} ({metric(*matchers)})"


def rate(metric: Metric, *matchers: str, group: tuple[str, ...] | str, window: str = RATE) -> str:
    """Per second, by these labels. For steady counters; for rare events use :func:`events`."""
    return f"sum {by(group)} (rate({metric(*matchers)}[{window}]))"


def events(metric: Metric, *matchers: str, group: tuple[str, ...] | str, window: str) -> str:
    """How many events in the window, by these labels, the first one included (:func:`signals.grown`)."""
    return f"sum {by(group)} ({s.grown(metric(*matchers), window)})"


def quantile(
    q: float, metric: Metric, *matchers: str, group: tuple[str, ...] = (), window: str = RATE
) -> str:
    """The q-quantile of a histogram, in the histogram's unit, by these labels."""
    labels = ("le", *group)
    return f"histogram_quantile({q}, sum {by(labels)} (rate({metric.bucket(*matchers)}[{window}])))"


def mean(metric: Metric, *matchers: str, group: tuple[str, ...] | str, window: str = RATE) -> str:
    """The mean of a histogram, in its unit, by these labels."""
    return (
        f"{rate(metric.sum, *matchers, group=group, window=window)} / "
        f"{rate(metric.count, *matchers, group=group, window=window)}"
    )


def failure_ratio(*matchers: str, group: tuple[str, ...] | str = PER_TENANT, window: str) -> str:
    """Failed task tries over all that ended, 0 to 1; none where nothing ended, 0 without failures."""
    failed = events(s.TI_FAILURES, *matchers, group=group, window=window)
    passed = events(s.TI_SUCCESSES, *matchers, group=group, window=window)
    some = f"({failed} or 0 * {passed})"
    return f"{some} / ({some} + ({passed} or 0 * {failed}))"


def condition(kind: str, status: str, *matchers: str) -> str:
    """1 where the tenant's condition has this status."""
    return s.TENANT_CONDITION(*matchers, f'type="{kind}"', f'status="{status}"')


def of_tenant(expression: str, *matchers: str) -> str:
    """Add the label ``tenant`` to series that only know the namespace.

    A namespace is that of the tenant whose condition NamespaceReady is True, never that of another one that
    asks for it as well: two would make the whole query fail.
    """
    own = condition("NamespaceReady", "True", *matchers)
    names = f"group by (tenant, namespace) (topk by (namespace) (1, {own} == 1))"
    return f"({expression}) * on (namespace) group_left (tenant) {names}"


def started(group: tuple[str, ...], metric: Metric, *matchers: str) -> str:
    """Series that were not there one step ago: a mark at the moment of a change, not a band from then on."""
    now = f"group {by(group)} ({metric(*matchers)})"
    before = f"group {by(group)} ({metric(*matchers)} offset $__interval)"
    return f"{now} unless {before}"
