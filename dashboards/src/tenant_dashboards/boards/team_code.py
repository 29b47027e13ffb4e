"""The team's DAG code, pools and quota."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.parts import Flavour
from tenant_dashboards.boards.pieces import (
    link_to,
    only_row,
    quota_share,
    row_key,
    sized,
)
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import (
    BLUE,
    GREEN,
    RED,
    Column,
    Kind,
    Panel,
    Row,
    Target,
    Text,
    above,
)

_NO_REVISION = "the operator names no revision (DAGs of an image have none)"


def code() -> Row:
    """What code the tenant runs, and whether new code arrives."""
    seen = f"max by (tenant) ({s.DAGBAG_SIZE(TENANT)})"
    most = f"max by (tenant) (max_over_time({s.DAGBAG_SIZE(TENANT)}[6h]))"
    behind = f"(time() - max by (tenant) ({s.TENANT_DAGS_PENDING_SINCE(TENANT)} > 0))"
    commit = f'label_replace({s.TENANT_DAGS_REVISION(TENANT)}, "commit", "$1", "revision", "(.{{1,8}}).*")'
    revision = Panel(
        "DAG revision",
        Kind.STATE_TIMELINE,
        "Which revision of the DAG repository the tenant runs, over time: a new line is a release of DAGs. "
        "Compare with the moment when something began to fail.",
        (
            Target(
                f"group by (tenant, source, commit) ({commit})",
                "{{tenant}} {{source}} {{commit}}",
            ),
        ),
        no_data=_NO_REVISION,
        thresholds=above(2),
        texts=(Text("1", "in use", GREEN),),
        min=None,
    )
    pending = Panel(
        "New revision waits",
        Kind.TIMESERIES,
        "For how long a new revision is known and not yet seen by Airflow: git-sync, the DAG processor and "
        "the database come one after another. Above half an hour something of it is stuck.",
        (Target(f"{behind} or 0 * max by (tenant) ({s.TENANT_DAGS_REVISION(TENANT)})", "{{tenant}}"),),
        unit="s",
        thresholds=above(600, 1800),
        no_data=_NO_REVISION,
    )
    syncs = Panel(
        "git-sync by result",
        Kind.TIMESERIES,
        "Looks of git-sync at the repository a minute, by result: success brought a new revision, noop found "
        "nothing new. Errors: credential, branch, network.",
        (Target(f"60 * {expr.rate(s.GIT_SYNC, TENANT, group='status')}", "{{status}}"),),
        unit="suffix:/min",
        decimals=1,
        colors=(("success", BLUE), ("noop", GREEN), ("error", RED)),
        no_data="no git-sync",
    )
    dags = Panel(
        "DAGs found",
        Kind.TIMESERIES,
        "DAGs that the DAG processor found, over the most of the six hours before (dashed). A drop of a "
        "fifth is no clean-up: bad merge, wrong branch or path. Import errors take DAGs away as well.",
        (
            Target(seen, "{{tenant}} DAGs"),
            Target(
                most,
                "{{tenant}} most in 6 h",
                spec=True,
            ),
            Target(f"max by (tenant) ({s.IMPORT_ERRORS(TENANT)})", "{{tenant}} import errors", color=RED),
        ),
        decimals=0,
        no_data="DAG processor sends nothing",
    )
    return Row("DAG code", sized(12, revision, dags, syncs, pending))


def capacity(flavour: Flavour) -> Row:
    """Pools with the spec beside what is, and the namespace's quota."""
    pool = ("tenant", "pool_name")
    size = f"({s.POOL_OPEN(TENANT)} + {s.POOL_RUNNING(TENANT)} + {s.POOL_QUEUED(TENANT)})"
    wanted = f"max {expr.by(pool)} ({s.TENANT_POOL_SLOTS(TENANT)})"

    def most(metric: s.Metric) -> str:
        return f"max {expr.by(pool)} ({metric(TENANT)})"

    link = link_to("capacity", flavour, "This pool over time", "pool_name")
    pools = Panel(
        "Pools",
        Kind.TABLE,
        "Slots of every pool: what the spec asks for and what Airflow has, how full it is, and how many "
        "tasks wait for a slot. A full pool with waiting tasks: raise it in the tenant's spec, not in the "
        "UI (the operator sets it back). Spec and slots differ: somebody changed it by hand.",
        (
            Target(row_key(f"max {expr.by(pool)} ({size})", pool)),
            Target(only_row(wanted, pool)),
            Target(only_row(f"1 - {most(s.POOL_OPEN)} / (max {expr.by(pool)} ({size}) > 0)", pool)),
            Target(only_row(most(s.POOL_RUNNING), pool)),
            Target(only_row(most(s.POOL_SCHEDULED), pool)),
            Target(only_row(most(s.POOL_STARVING), pool)),
        ),
        key="row",
        no_data="scheduler sends no pools",
        width=14,
        columns=(
            Column("pool_name", "Pool", links=(link,)),
            Column("Value #B", "Slots in spec", decimals=0, width=100),
            Column("Value #A", "Slots", decimals=0, width=80),
            Column("Value #C", "Taken", unit="percentunit", thresholds=above(0.8, 1), cell="gauge", max=1),
            Column("Value #D", "Running", decimals=0, width=80),
            Column("Value #E", "Waiting", decimals=0, width=80, thresholds=above(1), cell="color-text"),
            Column("Value #F", "Starving", decimals=0, width=80, thresholds=above(1), cell="color-text"),
        ),
        sort="Waiting",
    )
    quota = Panel(
        "My quota",
        Kind.BAR_GAUGE,
        "Share of the namespace's ResourceQuota that is used. At 100 % no new pod starts: tasks stay "
        "queued. Ask for more in the tenant's spec before 90 %.",
        (Target(quota_share(), "{{namespace}} {{resource}}", instant=True),),
        unit="percentunit",
        max=1,
        thresholds=above(0.8, 0.9),
        no_data="no quota on this namespace",
        width=10,
    )
    return Row("Pools and quota", (pools, quota))
