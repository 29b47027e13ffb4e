"""Who may talk to whom: the rendered policies evaluated as Kubernetes does it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import kubernetes_validate
import pytest
from tests.charts.configurations import FULL, FULL_LOCAL, KUBERNETES, LOCAL, SECRETS
from tests.charts.support import NAMESPACE, RELEASE, Chart, merged, render_chart

OPERATOR = ("airflow-tenants-system", {"app.kubernetes.io/name": "airflow-tenant-operator"})
MONITORING = ("monitoring", {"app": "prometheus"})
INGRESS = ("ingress", {"app": "proxy"})
STRANGER = (
    "airflow-other",
    {"app.kubernetes.io/name": "airflow-tenant", "app.kubernetes.io/component": "scheduler"},
)
DNS = ("kube-system", {"k8s-app": "kube-dns"})
Peer = tuple[str, dict[str, str]]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """A label selector; operators other than In are not rendered."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def admits(peers: list[dict[str, Any]] | None, peer: Peer) -> bool:
    """Whether a rule's list of peers has the pod; no list means everybody, an address block nobody here."""
    if peers is None:
        return True
    namespace, labels = peer
    for entry in peers:
        if "ipBlock" in entry:
            continue
        namespace_selector = entry.get("namespaceSelector")
        if namespace_selector is None:
            right_namespace = namespace == NAMESPACE
        else:
            right_namespace = selects(namespace_selector, {"kubernetes.io/metadata.name": namespace})
        if right_namespace and selects(entry.get("podSelector", {}), labels):
            return True
    return False


def port_in(ports: list[dict[str, Any]] | None, port: int, protocol: str) -> bool:
    return ports is None or any(
        entry["port"] == port and entry.get("protocol", "TCP") == protocol for entry in ports
    )


def pod(chart: Chart, component: str) -> Peer:
    return NAMESPACE, chart.pods[component].metadata["labels"]


def one_way(chart: Chart, direction: str, of: Peer, other: Peer, port: int, protocol: str) -> bool:
    """Whether the policies of ``of`` (in our namespace) admit ``other`` in that direction."""
    name, peers = ("Ingress", "from") if direction == "ingress" else ("Egress", "to")
    for policy in chart.kind("NetworkPolicy"):
        spec = policy["spec"]
        if name not in spec["policyTypes"] or not selects(spec["podSelector"], of[1]):
            continue
        for rule in spec.get(direction, []):
            if admits(rule.get(peers), other) and port_in(rule.get("ports"), port, protocol):
                return True
    return False


def reaches(chart: Chart, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Both ends must agree; pods of other namespaces are taken to allow everything themselves."""
    out = source[0] != NAMESPACE or one_way(chart, "egress", source, target, port, protocol)
    into = target[0] != NAMESPACE or one_way(chart, "ingress", target, source, port, protocol)
    return out and into


AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer", "migrate-database")
SERVERS: dict[tuple[str, int, str], dict[str, set[str]]] = {
    # (component, port, protocol) -> who reaches it, with LocalExecutor and with KubernetesExecutor
    ("postgresql", 5432, "TCP"): {"local": set(AIRFLOW), "kubernetes": set(AIRFLOW)},
    ("api-server", 8080, "TCP"): {
        "local": {"scheduler", "dag-processor", "triggerer"},
        "kubernetes": {"scheduler", "dag-processor", "triggerer", "worker"},
    },
    ("scheduler", 8793, "TCP"): {"local": {"api-server"}, "kubernetes": set()},
    ("triggerer", 8794, "TCP"): {"local": {"api-server"}, "kubernetes": {"api-server"}},
    ("statsd", 9125, "UDP"): {
        "local": {"api-server", "scheduler", "dag-processor", "triggerer"},
        "kubernetes": {"api-server", "scheduler", "dag-processor", "triggerer", "worker"},
    },
    ("statsd", 9102, "TCP"): {"local": set(), "kubernetes": set()},
    ("dag-processor", 2020, "TCP"): {"local": set(), "kubernetes": set()},
}


@pytest.mark.parametrize("server", list(SERVERS), ids=lambda key: f"{key[0]}-{key[1]}")
@pytest.mark.parametrize(
    ("name", "values"), [("local", FULL_LOCAL), ("kubernetes", FULL)], ids=["local", "kubernetes"]
)
def test_inside_the_namespace_exactly_these_reach_a_server(
    server: tuple[str, int, str], name: str, values: dict[str, Any]
) -> None:
    chart = render_chart(values)
    component, port, protocol = server
    target = pod(chart, component)
    callers = {other: pod(chart, other) for other in chart.pods}
    # `extraEgress` of this configuration opens 192.0.2.0/24 only, which is no pod
    assert {other for other in callers if reaches(chart, callers[other], target, port, protocol)} == (
        SERVERS[server][name]
    )
    # each end by itself: a mistake at one is not hidden by the other
    admitted = {
        other for other in callers if one_way(chart, "ingress", target, callers[other], port, protocol)
    }
    allowed = {other for other in callers if one_way(chart, "egress", callers[other], target, port, protocol)}
    assert admitted == SERVERS[server][name]
    assert allowed == SERVERS[server][name]


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        (
            OPERATOR,
            {("api-server", 8080), ("statsd", 9102)}
            | {(c, p) for c in ("scheduler", "dag-processor", "triggerer") for p in (2020, 2021)},
        ),
        (
            MONITORING,
            {("statsd", 9102)}
            | {(c, p) for c in ("scheduler", "dag-processor", "triggerer") for p in (2020, 2021)},
        ),
        (INGRESS, {("api-server", 8080)}),
        (STRANGER, set()),
    ],
    ids=["operator", "monitoring", "ingress", "stranger"],
)
def test_from_outside_only_declared_namespaces_come_in(peer: Peer, allowed: set[tuple[str, int]]) -> None:
    chart = render_chart(FULL_LOCAL)
    ports = (2020, 2021, 5432, 8080, 8793, 8794, 8974, 9102)
    found = {
        (component, port)
        for component in chart.pods
        for port in ports
        if reaches(chart, peer, pod(chart, component), port)
    }
    assert found == allowed


def test_the_operators_pods_may_be_narrowed() -> None:
    chart = render_chart(FULL_LOCAL)
    other = ("airflow-tenants-system", {"app": "other"})
    assert not reaches(chart, other, pod(chart, "api-server"), 8080)


def test_everything_else_is_denied_both_ways() -> None:
    chart = render_chart(LOCAL)
    deny = chart[("NetworkPolicy", f"{RELEASE}-default-deny")]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_every_pod_of_the_namespace_may_resolve_names() -> None:
    chart = render_chart(LOCAL)
    foreign = (NAMESPACE, {"app": "started-by-a-task"})
    for protocol in ("UDP", "TCP"):
        assert reaches(chart, foreign, DNS, 53, protocol)
    assert not reaches(chart, foreign, pod(chart, "api-server"), 8080)


def open_ports(chart: Chart, component: str) -> dict[int, list[str]]:
    """Port -> address blocks that a component may call; every rule names its destinations."""
    found: dict[int, list[str]] = {}
    rules = chart[("NetworkPolicy", f"{RELEASE}-{component}")]["spec"].get("egress", [])
    for rule in rules:
        blocks = [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer]
        if blocks:
            found |= {entry["port"]: blocks for entry in rule["ports"]}
    return found


EXTRA = {5432: ["192.0.2.0/24"]}
KUBERNETES_API = {6443: ["10.0.0.1/32"]}
EVERYWHERE = ["0.0.0.0/0", "::/0"]
GIT = {443: EVERYWHERE, 22: EVERYWHERE}


def test_the_world_outside_is_reached_by_those_who_need_it() -> None:
    kubernetes, local = render_chart(FULL), render_chart(FULL_LOCAL)
    assert {component: open_ports(kubernetes, component) for component in kubernetes.pods} == {
        "api-server": KUBERNETES_API | EXTRA,
        "scheduler": KUBERNETES_API | GIT | EXTRA,
        "dag-processor": GIT | EXTRA,
        "triggerer": GIT | EXTRA,
        "worker": GIT | EXTRA,
        "migrate-database": EXTRA,
        "postgresql": {},
        "statsd": {},
    }
    assert open_ports(local, "scheduler") == GIT | EXTRA
    assert open_ports(local, "api-server") == EXTRA


def source(repo: str) -> dict[str, Any]:
    return {"dags": {"sources": [{"name": "main", "gitSync": {"repo": repo}}]}}


@pytest.mark.parametrize(
    ("repo", "port"),
    [
        ("https://git.example.com/a.git", 443),
        ("http://git.example.com/a.git", 80),
        ("http://git-server.git:8080/cgi-bin/git/a.git", 8080),
        ("https://user@git.example.com:8443/a", 8443),
        ("ssh://git@git.example.com/a.git", 22),
        ("ssh://git@git.example.com:2222/a.git", 2222),
        ("git@git.example.com:a/b.git", 22),
        ("git@git.example.com:2222/b.git", 22),
        ("git://git.example.com/a.git", 9418),
        ("http://git.example.com/a:8080/b", 80),
    ],
)
def test_the_git_port_follows_from_the_url(repo: str, port: int) -> None:
    chart = render_chart(merged(SECRETS, source(repo)))
    assert open_ports(chart, "dag-processor") == {port: EVERYWHERE}


def test_git_ports_may_be_named() -> None:
    chart = render_chart(merged(LOCAL, {"networkPolicies": {"gitPorts": [3128]}}))
    assert open_ports(chart, "dag-processor") == {3128: EVERYWHERE}


def test_an_external_database_is_opened_by_its_port() -> None:
    values = merged(
        KUBERNETES, {"postgresql": {"enabled": False}, "data": {"metadataConnection": {"port": 6432}}}
    )
    chart = render_chart(values)
    for component in AIRFLOW:
        assert open_ports(chart, component)[6432] == EVERYWHERE
    assert 6432 not in open_ports(chart, "worker")


def calls(chart: Chart, component: str, address: str, port: int) -> bool:
    """Whether a component may call an address, whatever stands behind it."""
    target = ip_address(address)
    for rule in chart[("NetworkPolicy", f"{RELEASE}-{component}")]["spec"].get("egress", []):
        if port_in(rule.get("ports"), port, "TCP"):
            if "to" not in rule:
                return True
            for block in (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer):
                if target in ip_network(block["cidr"]) and not any(
                    target in ip_network(hole) for hole in block.get("except", [])
                ):
                    return True
    return False


#: Where a node finds its cloud's credentials (the second one is AWS' for containers), and all of IPv6's link
METADATA = ("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fe80::a9fe:a9fe")
EXTERNAL_DATABASE = {"postgresql": {"enabled": False}, "data": {"metadataConnection": {"port": 80}}}


@pytest.mark.parametrize(
    "values",
    [
        merged(LOCAL, source("http://git.example.com/a.git"), EXTERNAL_DATABASE),
        merged(KUBERNETES, source("http://git.example.com/a.git"), EXTERNAL_DATABASE),
        merged(
            KUBERNETES,
            {"networkPolicies": {"gitPorts": [80], "gitCidrs": EVERYWHERE, "kubernetesApi": {"ports": [80]}}},
        ),
        merged(
            LOCAL,
            {
                "networkPolicies": {
                    "extraEgress": [
                        {"to": [{"ipBlock": {"cidr": cidr}} for cidr in EVERYWHERE], "ports": [{"port": 80}]},
                        {"ports": [{"port": 6443}]},
                        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]},
                    ]
                }
            },
        ),
        FULL,
        FULL_LOCAL,
    ],
    ids=["local", "kubernetes", "named", "extra", "full", "full-local"],
)
def test_no_pod_reaches_the_nodes_metadata_service(values: dict[str, Any]) -> None:
    chart = render_chart(values)
    for policy in chart.kind("NetworkPolicy"):
        kubernetes_validate.validate(policy, "1.34", strict=True)
        # a rule without destinations would open the port for every address
        assert all("to" in rule for rule in policy["spec"].get("egress", []))
    for component in chart.pods:
        for address in METADATA:
            for port in (22, 80, 443, 6443):
                assert not calls(chart, component, address, port), (component, address, port)


def test_git_servers_are_reached_outside_and_inside_the_cluster() -> None:
    chart = render_chart(merged(KUBERNETES, source("http://git-server.git:8080/cgi-bin/git/a.git")))
    for component in ("dag-processor", "triggerer", "worker"):
        # by its address, as it is behind a Service, and by its labels: not every plugin knows a pod by both
        for address in (
            "10.202.0.7",
            "172.16.3.4",
            "192.168.0.9",
            "100.64.1.2",
            "198.51.100.7",
            "2001:db8::7",
        ):
            assert calls(chart, component, address, 8080), (component, address)
        assert reaches(chart, pod(chart, component), ("git", {"app": "git-server"}), 8080)
        assert not calls(chart, component, "198.51.100.7", 443)
    assert calls(chart, "scheduler", "198.51.100.7", 8080), "it proves that the repository can be fetched"
    assert not calls(chart, "api-server", "198.51.100.7", 8080)


def test_git_servers_may_be_narrowed_to_addresses() -> None:
    chart = render_chart(merged(KUBERNETES, {"networkPolicies": {"gitCidrs": ["198.51.100.0/24", "::/0"]}}))
    assert open_ports(chart, "worker") == {port: ["198.51.100.0/24", "::/0"] for port in (443, 22)}
    assert calls(chart, "worker", "198.51.100.7", 443)
    assert not calls(chart, "worker", "198.51.101.7", 443)
    assert not reaches(chart, pod(chart, "worker"), ("git", {"app": "git-server"}), 443)


def test_rules_of_the_user_are_kept_and_may_name_any_address() -> None:
    rules = [
        {"to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}], "ports": [{"port": 80, "protocol": "TCP"}]},
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]},
        {"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "vault"}}}]},
    ]
    chart = render_chart(merged(LOCAL, {"networkPolicies": {"extraEgress": rules}}))
    for component in AIRFLOW:
        assert chart[("NetworkPolicy", f"{RELEASE}-{component}")]["spec"]["egress"][-3:] == rules
    assert calls(chart, "scheduler", "169.254.169.254", 80)
    assert not calls(chart, "scheduler", "169.254.169.254", 443)
    assert not calls(chart, "scheduler", "10.1.2.3", 1234)
    assert calls(chart, "scheduler", "10.2.2.3", 1234)
