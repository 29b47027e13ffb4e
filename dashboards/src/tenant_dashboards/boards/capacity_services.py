"""What Airflow stands on: database, PgBouncer, Redis, edge, volumes."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import sized
from tenant_dashboards.expr import NAMESPACE, RATE, TENANT
from tenant_dashboards.panels.model import BLUE, RED, Kind, Panel, Row, Target, above, below

_POSTGRES = 'container="postgresql"'
_REDIS = 'container="redis"'


def _cpu(container: str) -> str:
    """CPU of a container over its limit, by pod; no value without a limit."""
    used = f"sum by (namespace, pod) (rate({s.CONTAINER_CPU(NAMESPACE, container)}[{RATE}]))"
    limit = s.KUBE_LIMITS(NAMESPACE, container, 'resource="cpu"')
    return f"{used} / max by (namespace, pod) ({limit})"


def _memory(container: str) -> str:
    used = f"max by (namespace, pod) ({s.CONTAINER_MEMORY(NAMESPACE, container)})"
    limit = s.KUBE_LIMITS(NAMESPACE, container, 'resource="memory"')
    return f"{used} / max by (namespace, pod) ({limit})"


def database() -> Row:
    """CPU and memory of the database, connections against their limit, PgBouncer, cache, size."""
    load = Panel(
        "Database CPU and memory",
        Kind.TIMESERIES,
        "CPU and memory of the metadata database as a share of its limit (a managed one: CPU of CloudWatch). "
        "CPU above 80 % for 10 minutes slows the scheduler: look for long transactions, then give it more.",
        (
            Target(_cpu(_POSTGRES), "CPU {{pod}}"),
            Target(_memory(_POSTGRES), "memory {{pod}}"),
            Target(f"max by (tenant) ({s.RDS_CPU(TENANT)}) / 100", "{{tenant}} CPU (RDS)"),
        ),
        unit="percentunit",
        max=1,
        thresholds=above(0.7, 0.8),
        no_data="database's container has no limit, or cAdvisor is not scraped",
    )
    connections = Panel(
        "Database connections",
        Kind.TIMESERIES,
        "Connections by state, and the database's limit (dashed). Above 70 % plan for PgBouncer or smaller "
        "pools; at the limit every component fails to connect. Idle in transaction: somebody holds locks.",
        (
            Target(f"sum by (state) ({s.PG_CONNECTIONS(TENANT)}) > 0", "{{state}}"),
            Target(f"max by (tenant) ({s.PG_MAX_CONNECTIONS(TENANT)})", "{{tenant}} limit", spec=True),
            Target(f"max by (tenant) ({s.RDS_CONNECTIONS(TENANT)})", "{{tenant}} all (RDS)"),
        ),
        stacked=True,
        decimals=0,
        no_data="postgres_exporter is not scraped",
    )
    waiting, active = (_either(a, b) for a, b in _BOUNCERS)
    bouncer = Panel(
        "PgBouncer clients",
        Kind.TIMESERIES,
        "Clients of PgBouncer that have a server connection, and those that wait for one. Waiting for "
        "minutes: raise the pool, or find the long transaction.",
        (Target(active, "{{tenant}} active", color=BLUE), Target(waiting, "{{tenant}} waiting", color=RED)),
        decimals=0,
        no_data="no PgBouncer",
    )
    hits = f"sum by (tenant) (rate({s.PG_BLOCKS_HIT(TENANT)}[{RATE}]))"
    reads = f"sum by (tenant) (rate({s.PG_BLOCKS_READ(TENANT)}[{RATE}]))"
    cache = Panel(
        "Database cache hits",
        Kind.TIMESERIES,
        "Share of blocks that the database finds in memory. Below 90 % for long it reads from disk: give it "
        "memory, or clean old rows of the metadata (airflow db clean).",
        (Target(f"{hits} / ({hits} + {reads} > 0)", "{{tenant}}"),),
        unit="percentunit",
        max=1,
        thresholds=below(0.95, 0.9),
        no_data="postgres_exporter is not scraped",
    )
    databases = s.PG_SIZE(TENANT, 'datname!~"template.*"')
    size = Panel(
        "Database size",
        Kind.TIMESERIES,
        "Size of the databases. Grows without end: nobody cleans old runs (airflow db clean). The volume "
        "below says how much room is left.",
        (Target(f"max by (tenant, datname) ({databases})", "{{tenant}} {{datname}}"),),
        unit="bytes",
        no_data="postgres_exporter is not scraped",
    )
    return Row("Database", sized(8, load, connections, bouncer, _latency(), cache, size))


def _latency() -> Panel:
    spent = expr.rate(s.PG_READ_TIME, TENANT, group="tenant")
    blocks = expr.rate(s.PG_BLOCKS_READ, TENANT, group="tenant")
    return Panel(
        "Database latency",
        Kind.TIMESERIES,
        "Time that a block takes to come from disk (needs track_io_timing), and a managed database's p95 of "
        "reads and writes. Above 20 ms for 10 minutes: the disk is at its limit, the scheduler's loop "
        "follows.",
        (
            Target(f"{spent} / ({blocks} > 0) / 1000", "{{tenant}} read"),
            Target(f"max by (tenant) ({s.RDS_READ_LATENCY(TENANT)})", "{{tenant}} read p95 (RDS)"),
            Target(f"max by (tenant) ({s.RDS_WRITE_LATENCY(TENANT)})", "{{tenant}} write p95 (RDS)"),
        ),
        unit="s",
        thresholds=above(0.01, 0.02),
        no_data="no database is measured",
    )


_BOUNCERS = (
    (s.PGBOUNCER_WAITING, s.PGBOUNCER_JBUB_WAITING),
    (s.PGBOUNCER_ACTIVE, s.PGBOUNCER_JBUB_ACTIVE),
)


def _either(first: s.Metric, second: s.Metric) -> str:
    return f"sum by (tenant) ({first(TENANT)}) or sum by (tenant) ({second(TENANT)})"


def redis() -> Row:
    """Redis as Celery's broker: CPU, memory, hits, evictions."""
    used = (s.REDIS_CPU_USER, s.REDIS_CPU_SYS)
    cpu = " + ".join(expr.rate(metric, TENANT, group="tenant") for metric in used)
    limit = f"(max by (tenant) ({s.REDIS_MEMORY_MAX(TENANT)}) > 0)"
    hits = f"sum by (tenant) (rate({s.REDIS_HITS(TENANT)}[{RATE}]))"
    misses = f"sum by (tenant) (rate({s.REDIS_MISSES(TENANT)}[{RATE}]))"
    load = Panel(
        "Redis CPU and memory",
        Kind.TIMESERIES,
        "CPU of Redis (one thread: 100 % is all it has) and memory as a share of maxmemory. Memory at the "
        "limit evicts keys: a broker loses tasks then. Give it memory before 80 %.",
        (
            Target(cpu, "{{tenant}} CPU"),
            Target(
                f"max by (tenant) ({s.REDIS_MEMORY_USED(TENANT)}) / {limit}",
                "{{tenant}} memory",
            ),
        ),
        unit="percentunit",
        max=1,
        thresholds=above(0.7, 0.8),
        no_data="no Redis",
    )
    cache = Panel(
        "Redis cache hits",
        Kind.TIMESERIES,
        "Share of lookups that found their key. A broker has few lookups; a cache below 80 % is too small "
        "or its keys expire too early.",
        (Target(f"{hits} / ({hits} + {misses} > 0)", "{{tenant}}"),),
        unit="percentunit",
        max=1,
        thresholds=below(0.8, 0.5),
        no_data="no Redis, or no lookups",
    )
    lost = Panel(
        "Redis evictions",
        Kind.TIMESERIES,
        "Keys that Redis threw away for lack of memory in five minutes. In a broker each may be a task that "
        "never runs: raise maxmemory, and set the policy to noeviction.",
        (Target(expr.events(s.REDIS_EVICTED, TENANT, group="tenant", window="5m"), "{{tenant}}"),),
        decimals=0,
        thresholds=above(1, 1000),
        no_data="no Redis",
    )
    return Row("Redis", sized(8, load, cache, lost), collapsed=True)


def edge() -> Row:
    """Requests through what stands at the edge: Traefik, Envoy Gateway or another (alerts/edge.py)."""
    every = f"sum by (namespace, edge) ({s.EDGE_REQUESTS(NAMESPACE)})"
    failed = s.EDGE_REQUESTS(NAMESPACE, 'code=~"5.."')
    bad = f"sum by (namespace, edge) ({failed})"
    requests = Panel(
        "Requests",
        Kind.TIMESERIES,
        "Requests per second to the tenant's web address, by the answer's status. Above 1 % of 5xx users see "
        "errors: look at the API server's pods.",
        (
            Target(
                f"sum by (namespace, code, edge) ({s.EDGE_REQUESTS(NAMESPACE)})",
                "{{namespace}} {{code}} {{edge}}",
            ),
        ),
        unit="reqps",
        stacked=True,
        no_data="no requests of Traefik or Envoy Gateway, nor of a rule of yours",
    )
    errors = Panel(
        "Share of 5xx",
        Kind.TIMESERIES,
        "Share of requests that ended with a server error. Above 1 % an alert rings: API server down, "
        "overloaded, or its database.",
        (Target(f"max by (namespace) (({bad} or 0 * {every}) / ({every} > 0))", "{{namespace}}"),),
        unit="percentunit",
        thresholds=above(0.005, 0.01),
        no_data="no requests",
    )
    latency = Panel(
        "Response time",
        Kind.TIMESERIES,
        "p50 and p95 of the response time. p95 above 2 s: more API server replicas, or a slow database.",
        (
            Target(f"max by (namespace) ({_edge_time('0.5')})", "{{namespace}} p50"),
            Target(f"max by (namespace) ({_edge_time('0.95')})", "{{namespace}} p95"),
        ),
        unit="s",
        thresholds=above(1, 2),
        no_data="no requests",
    )
    return Row("Edge", sized(8, requests, errors, latency))


def _edge_time(quantile: str) -> str:
    return s.EDGE_DURATION(NAMESPACE, f'quantile="{quantile}"')


def volumes() -> Row:
    """How full volumes are, and how much is read and written."""
    claim = "max by (namespace, persistentvolumeclaim)"
    full = Panel(
        "Volumes",
        Kind.TIMESERIES,
        "How full each volume is. Full: the component that owns it stops (a database for good). Enlarge the "
        "claim, or clean up.",
        (
            Target(
                f"{claim} ({s.VOLUME_USED(NAMESPACE)} / ({s.VOLUME_CAPACITY(NAMESPACE)} > 0))",
                "{{namespace}} {{persistentvolumeclaim}}",
            ),
        ),
        unit="percentunit",
        max=1,
        thresholds=above(0.8, 0.9),
        no_data="no volumes, or the kubelet is not scraped",
    )
    throughput = Panel(
        "Disk throughput",
        Kind.TIMESERIES,
        "Bytes read and written per second by the pods of the namespace (cAdvisor; network file systems do "
        "not show here, see their own metrics). At the disk's limit everything above slows down.",
        _disk(s.CONTAINER_READ_BYTES, s.CONTAINER_WRITE_BYTES),
        unit="Bps",
        no_data="cAdvisor is not scraped",
    )
    operations = Panel(
        "Disk operations",
        Kind.TIMESERIES,
        "Reads and writes per second by the pods of the namespace. Many and small: the database lacks "
        "memory, or logs go to the same disk.",
        _disk(s.CONTAINER_READS, s.CONTAINER_WRITES),
        unit="iops",
        no_data="cAdvisor is not scraped",
    )
    return Row("Volumes", sized(8, full, throughput, operations))


def _disk(reads: s.Metric, writes: s.Metric) -> tuple[Target, ...]:
    return (
        Target(f"topk(10, {expr.rate(reads, NAMESPACE, group='pod')})", "read {{pod}}"),
        Target(f"topk(10, {expr.rate(writes, NAMESPACE, group='pod')})", "write {{pod}}"),
    )
