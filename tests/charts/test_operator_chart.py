"""The operator's chart: rights written out and sufficient, restricted, the definition unchanged."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.charts.configurations import CONFIGURATIONS
from tests.charts.support import (
    NAMESPACE,
    OPERATOR_CHART,
    ROOT,
    Chart,
    Object,
    Pod,
    render_chart,
    run_helm,
)
from tests.charts.support import RELEASE as TENANT

from tenant_operator.plan import fetch

RELEASE = "airflow-tenant-operator"
CRD = ROOT / "operator" / "crd" / "airflowtenants.airflowtenants.io.yaml"
TENANT_ROLE = "airflow-tenant-operator-tenant"
#: plural and API group of what the tenant chart may render
PLURALS = {
    "AlertmanagerConfig": ("monitoring.coreos.com", "alertmanagerconfigs"),
    "ConfigMap": ("", "configmaps"),
    "Deployment": ("apps", "deployments"),
    "GrafanaDashboard": ("grafana.integreatly.org", "grafanadashboards"),
    "Job": ("batch", "jobs"),
    "LimitRange": ("", "limitranges"),
    "NetworkPolicy": ("networking.k8s.io", "networkpolicies"),
    "PodDisruptionBudget": ("policy", "poddisruptionbudgets"),
    "PodMonitor": ("monitoring.coreos.com", "podmonitors"),
    "PrometheusRule": ("monitoring.coreos.com", "prometheusrules"),
    "ResourceQuota": ("", "resourcequotas"),
    "Role": ("rbac.authorization.k8s.io", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io", "rolebindings"),
    "Secret": ("", "secrets"),
    "Service": ("", "services"),
    "ServiceAccount": ("", "serviceaccounts"),
    "StatefulSet": ("apps", "statefulsets"),
}
POLICY_KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
POLICIES = ("namespaces", "pods", "rights", "secrets", "tenants")
Right = tuple[str, str, str]  # group, resource, verb


def render(**values: Any) -> Chart:
    return render_chart(values, OPERATOR_CHART, RELEASE)


def rights(role: Object, *, named: bool = False) -> set[Right]:
    """Every (group, resource, verb); rules for single objects only when ``named``."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        if named or "resourceNames" not in rule
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def deployment_pod(chart: Chart) -> Pod:
    template = chart[("Deployment", RELEASE)]["spec"]["template"]
    return Pod("operator", template["metadata"], template["spec"])


def test_exactly_the_expected_objects_are_rendered() -> None:
    assert set(render().objects) == {
        ("CustomResourceDefinition", "airflowtenants.airflowtenants.io"),
        ("ClusterRole", "airflow-tenant-operator"),
        ("ClusterRole", TENANT_ROLE),
        ("ClusterRoleBinding", "airflow-tenant-operator"),
        ("ConfigMap", f"{RELEASE}-defaults"),
        ("Deployment", RELEASE),
        ("Service", RELEASE),
        ("ServiceAccount", RELEASE),
        *((kind, f"airflow-tenant-operator-{policy}") for kind in POLICY_KINDS for policy in POLICIES),
    }
    everything = render(
        networkPolicy={"enabled": True}, podMonitor={"enabled": True}, crds={"install": False}
    )
    assert set(everything.objects) - set(render().objects) == {
        ("NetworkPolicy", RELEASE),
        ("PodMonitor", RELEASE),
    }
    assert not everything.kind("CustomResourceDefinition")


def test_every_object_fits_the_schemas_of_kubernetes() -> None:
    chart = render(networkPolicy={"enabled": True}, nodeSelector={"a": "b"}, labels={"team": "platform"})
    for obj in chart.objects.values():
        kubernetes_validate.validate(obj, "1.34", strict=True)
        assert obj["metadata"]["labels"]["team"] == "platform"
        assert obj["metadata"]["labels"]["app.kubernetes.io/name"] == "airflow-tenant-operator"


def test_helm_lint_finds_nothing() -> None:
    done = run_helm("lint", "--strict", str(OPERATOR_CHART))
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


def test_the_definition_is_the_generated_one() -> None:
    source = yaml.safe_load(CRD.read_text())
    for keep in (True, False):
        rendered = render(crds={"keep": keep})[
            ("CustomResourceDefinition", "airflowtenants.airflowtenants.io")
        ]
        assert rendered["spec"] == source["spec"]
        kept = rendered["metadata"].get("annotations", {}).get("helm.sh/resource-policy")
        assert kept == ("keep" if keep else None)


def test_the_copy_of_the_definition_is_up_to_date() -> None:
    assert (OPERATOR_CHART / "files" / "crd.yaml").read_text() == CRD.read_text(), "run `make generate`"


def test_no_right_is_a_wildcard() -> None:
    for role in render().kind("ClusterRole"):
        for rule in role["rules"]:
            assert rule.keys() <= {"apiGroups", "resources", "verbs", "resourceNames"}
            for words in rule.values():
                assert words
                assert "*" not in "".join(words)


def test_cluster_wide_the_operator_reads_no_secret_and_changes_little() -> None:
    everywhere = rights(render()[("ClusterRole", "airflow-tenant-operator")], named=True)
    assert not {right for right in everywhere if right[1] == "secrets"}
    # what it reads beyond the kinds that it watches for drift
    reads = everywhere - {right for right in everywhere if right[2] not in {"get", "list", "watch"}}
    drift = {(*PLURALS[kind], verb) for kind in PLURALS for verb in ("list", "watch")}
    assert reads - drift == {
        *(("airflowtenants.io", "airflowtenants", verb) for verb in ("get", "list", "watch")),
        *(("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")),
        *(("", "pods", verb) for verb in ("list", "watch")),
        ("", "namespaces", "get"),
        ("discovery.k8s.io", "endpointslices", "list"),
    }
    changes = {right for right in everywhere if right[2] not in {"get", "list", "watch"}}
    assert changes == {
        ("airflowtenants.io", "airflowtenants", "patch"),
        ("airflowtenants.io", "airflowtenants/status", "patch"),
        ("", "namespaces", "create"),
        ("", "namespaces", "patch"),
        ("", "namespaces", "delete"),
        ("rbac.authorization.k8s.io", "rolebindings", "create"),
        ("rbac.authorization.k8s.io", "rolebindings", "patch"),
        ("rbac.authorization.k8s.io", "clusterroles", "bind"),
        ("", "events", "create"),
    }


def test_it_may_bind_the_tenant_role_and_no_other() -> None:
    binds = [
        rule
        for rule in render()[("ClusterRole", "airflow-tenant-operator")]["rules"]
        if "bind" in rule["verbs"]
    ]
    assert [rule["resourceNames"] for rule in binds] == [[TENANT_ROLE]]
    assert all(
        "escalate" not in rule["verbs"] for role in render().kind("ClusterRole") for rule in role["rules"]
    )


def test_the_tenant_role_is_bound_by_nobody_here() -> None:
    assert [binding["roleRef"]["name"] for binding in render().kind("ClusterRoleBinding")] == [
        "airflow-tenant-operator"
    ]
    assert not render().kind("RoleBinding")


@pytest.mark.parametrize("configuration", sorted(CONFIGURATIONS))
def test_the_tenant_role_covers_every_kind_that_the_tenant_chart_renders(configuration: str) -> None:
    held = rights(render()[("ClusterRole", TENANT_ROLE)])
    for kind, name in render_chart(CONFIGURATIONS[configuration]).objects:
        group, plural = PLURALS[kind]
        missing = {(group, plural, verb) for verb in ("get", "list", "create", "patch", "delete")} - held
        assert not missing, (kind, name)


@pytest.mark.parametrize("configuration", sorted(CONFIGURATIONS))
def test_the_tenant_role_holds_every_right_that_the_tenant_chart_grants(configuration: str) -> None:
    held = rights(render()[("ClusterRole", TENANT_ROLE)])
    for role in render_chart(CONFIGURATIONS[configuration]).kind("Role"):
        assert rights(role, named=True) <= held, role["metadata"]["name"]


def test_the_tenant_role_holds_nothing_without_a_reason() -> None:
    needed: set[Right] = {
        *(("", "secrets", verb) for verb in ("get", "list", "create", "patch", "delete")),
        *(("", "persistentvolumeclaims", verb) for verb in ("list", "patch")),
        *(("", "pods/exec", verb) for verb in ("get", "create")),  # a WebSocket needs both from 1.35 on
    }
    for values in CONFIGURATIONS.values():
        chart = render_chart(values)
        for kind, _ in chart.objects:
            group, plural = PLURALS[kind]
            needed |= {(group, plural, verb) for verb in ("get", "list", "create", "patch", "delete")}
        for role in chart.kind("Role"):
            needed |= rights(role, named=True)
    assert rights(render()[("ClusterRole", TENANT_ROLE)]) == needed


def test_commands_are_run_inside_tenants_namespaces_only_and_by_the_operator_only() -> None:
    assert not {right for right in rights(render()[("ClusterRole", "airflow-tenant-operator")])
                if right[1] == "pods/exec"}  # fmt: skip
    for values in CONFIGURATIONS.values():
        for role in render_chart(values).kind("Role"):
            assert not {right for right in rights(role, named=True) if right[1] == "pods/exec"}


def test_the_watches_cover_what_the_tenant_chart_renders() -> None:
    everywhere = rights(render()[("ClusterRole", "airflow-tenant-operator")])
    for kind, (group, plural) in PLURALS.items():
        expected = kind != "Secret"
        assert ({(group, plural, "list"), (group, plural, "watch")} <= everywhere) is expected, kind


def test_the_policies_are_about_the_operator_and_nobody_else() -> None:
    chart = render_chart({}, OPERATOR_CHART, "other")
    user = f"system:serviceaccount:{NAMESPACE}:other"
    for policy in chart.kind("ValidatingAdmissionPolicy"):
        spec = policy["spec"]
        assert spec["matchConditions"] == [
            {"name": "by-the-operator", "expression": f"request.userInfo.username == '{user}'"}
        ]
        assert spec["failurePolicy"] == "Fail"
        # as RBAC answers: the operator takes it for a right that it lacks, not for a mistake in the tenant
        assert {rule["reason"] for rule in spec["validations"]} == {"Forbidden"}
        assert all({"message", "messageExpression"} & rule.keys() for rule in spec["validations"])
    bindings = {b["spec"]["policyName"]: b["spec"] for b in chart.kind("ValidatingAdmissionPolicyBinding")}
    assert bindings.keys() == {policy["metadata"]["name"] for policy in chart.kind(POLICY_KINDS[0])}
    assert all(spec["validationActions"] == ["Deny", "Audit"] for spec in bindings.values())


def test_without_the_policies_everything_else_is_the_same() -> None:
    with_them, without = render(), render(admissionPolicies={"enabled": False})
    gone = with_them.objects.keys() - without.objects.keys()
    assert {kind for kind, _ in gone} == set(POLICY_KINDS)
    assert all(without[key] == with_them[key] for key in without.objects)


def test_values_of_a_release_from_before_the_policies_have_them_on() -> None:
    """`helm upgrade --reuse-values` gives the new templates the old chart's values."""
    assert render(admissionPolicies=None).objects == render().objects


def variable(policy: str, name: str) -> str:
    """The expression of a policy's variable."""
    spec = render()[("ValidatingAdmissionPolicy", f"airflow-tenant-operator-{policy}")]["spec"]
    (found,) = (str(entry["expression"]) for entry in spec["variables"] if entry["name"] == name)
    return found


def test_the_policies_let_the_operator_make_each_role_of_the_tenant_chart_and_no_other() -> None:
    granted: dict[str, dict[str, set[str]]] = {}
    for values in CONFIGURATIONS.values():
        for role in render_chart(values).kind("Role"):
            part = granted.setdefault(role["metadata"]["name"].removeprefix(f"{TENANT}-"), {})
            for group, resource, verb in rights(role, named=True):
                part.setdefault(f"{group}/{resource}", set()).add(verb)
    allowed = json.loads(variable("rights", "granted"))
    assert {
        part: {what: set(verbs) for what, verbs in its.items()} for part, its in allowed.items()
    } == granted


def test_the_policies_let_the_operator_bind_roles_of_programs_as_the_tenant_chart_binds_them() -> None:
    programs, people = set(), set()
    for values in CONFIGURATIONS.values():
        for binding in render_chart(values).kind("RoleBinding"):
            name = binding["roleRef"]["name"]
            assert binding["roleRef"]["kind"] == "Role"
            own = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
            (programs if binding["subjects"] == [own] else people).add(name.removeprefix(f"{TENANT}-"))
    validations = render()[("ValidatingAdmissionPolicy", "airflow-tenant-operator-rights")]["spec"][
        "validations"
    ]
    (listed,) = {
        found
        for rule in validations
        for found in re.findall(r"variables\.part in (\[[^]]+\])", rule["expression"])
    }
    assert set(ast.literal_eval(listed)) == programs
    assert people == json.loads(variable("rights", "granted")).keys() - programs


def test_the_policies_let_the_operator_run_the_command_that_it_runs() -> None:
    policy = render()[("ValidatingAdmissionPolicy", "airflow-tenant-operator-pods")]
    expression = policy["spec"]["validations"][0]["expression"]
    assert f"== {list(fetch.COMMAND)}" in expression
    sidecars = {
        container["name"]
        for values in CONFIGURATIONS.values()
        for pod in render_chart(values).pods.values()
        for container in pod.containers
        if fetch.FLAG in container.get("args", [])
    }
    assert sidecars
    (prefix,) = re.findall(r"startsWith\('([^']+)'\)", expression)
    assert all(name.startswith(prefix) for name in sidecars)


def test_the_pod_is_restricted_and_alone() -> None:
    chart = render()
    spec = chart[("Deployment", RELEASE)]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = deployment_pod(chart)
    security = pod.spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 65532
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    own = pod.main["securityContext"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["readOnlyRootFilesystem"] is True
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= pod.main["resources"]["requests"].keys()
    assert {probe for probe in pod.main if probe.endswith("Probe")} == {
        "startupProbe",
        "readinessProbe",
        "livenessProbe",
    }
    assert pod.main["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert pod.main["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_values_reach_the_operator_as_its_environment() -> None:
    from tenant_operator.core.settings import VARIABLES, from_environment

    chart = render(logLevel="DEBUG", logFormat="text", resyncInterval=1000000, concurrency=16)
    environment = {
        variable["name"]: variable.get("value", "x") for variable in deployment_pod(chart).main["env"]
    }
    assert environment.keys() - {"HOME"} <= set(VARIABLES)
    settings = from_environment(environment)
    assert (settings.log_level, settings.log_format) == ("DEBUG", "text")
    assert (settings.resync_interval, settings.concurrency) == (1000000, 16)
    assert str(settings.tenant_defaults_file) == "/etc/tenant-operator/defaults.yaml"
    assert str(settings.chart_path) == "/opt/charts/airflow-tenant"


def test_prices_reach_the_operator_and_none_is_made_up() -> None:
    from tenant_operator.core.settings import from_environment

    def settings(**costs: Any) -> Any:
        environment = deployment_pod(render(costs=costs)).main["env"]
        return from_environment({item["name"]: item.get("value", "x") for item in environment})

    assert settings().prices == {}
    stated = settings(currency="EUR", cpuCoreHour=0.04048, memoryGibHour=0.00001, storageGibMonth=1)
    assert stated.cost_currency == "EUR"
    assert stated.prices == {
        "cpu_core_hour": 0.04048,
        "memory_gib_hour": 0.00001,
        "storage_gib_month": 1.0,
    }


def test_default_images_reach_the_operator_as_a_file_and_restart_it() -> None:
    images = {"airflow": {"repository": "example.com/airflow", "tag": "1", "pullPolicy": "Never"}}
    before, after = render(), render(tenantDefaults={"images": images})
    text = after[("ConfigMap", f"{RELEASE}-defaults")]["data"]["defaults.yaml"]
    assert yaml.safe_load(text)["images"] == images
    other = yaml.safe_load(before[("ConfigMap", f"{RELEASE}-defaults")]["data"]["defaults.yaml"])
    assert other["images"] == {}
    assert other.keys() == {"images", "monitoring"}
    sums = [deployment_pod(chart).metadata["annotations"]["checksum/defaults"] for chart in (before, after)]
    assert sums[0] != sums[1]


ANNOTATIONS = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/metrics"}


def test_metrics_are_found_by_annotations_or_by_a_pod_monitor_but_not_by_both() -> None:
    plain = render(podAnnotations={"own": "x"})
    service, pod = plain[("Service", RELEASE)], deployment_pod(plain)
    assert ANNOTATIONS.items() <= pod.metadata["annotations"].items()
    assert pod.metadata["annotations"]["own"] == "x"
    # a job for Services and one for pods may be there side by side
    assert "annotations" not in service["metadata"]
    assert service["spec"]["selector"].items() <= pod.metadata["labels"].items()
    assert service["spec"]["ports"] == [{"name": "metrics", "port": 8080, "targetPort": "http"}]
    monitored = render(podMonitor={"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}})
    monitor = monitored[("PodMonitor", RELEASE)]
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("http", "/metrics", "15s")
    # its series carry the namespaces of the tenants
    assert endpoint["honorLabels"] is True
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod.metadata["labels"].items()
    assert not ANNOTATIONS.keys() & deployment_pod(monitored).metadata["annotations"].keys()


def test_the_network_policy_is_about_the_operators_pod() -> None:
    chart = render(networkPolicy={"enabled": True, "monitoring": {"namespace": "monitoring"}})
    spec = chart[("NetworkPolicy", RELEASE)]["spec"]
    assert spec["podSelector"]["matchLabels"].items() <= deployment_pod(chart).metadata["labels"].items()
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    (rule,) = spec["ingress"]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]
    ports = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    blocks = [peer["ipBlock"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer]
    # everywhere, but not the metadata service of the node
    assert blocks == [
        {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]},
        {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::254/128"]},
    ]
    assert ports == {53, 443, 6443, 8080, 9102, 2020}
