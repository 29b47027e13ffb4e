"""The log collector's overlays and AWS' side of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint
import kubernetes_validate
import pytest
import yaml

from devcluster.tools import tool

ROOT = Path(__file__).resolve().parents[2]
LOGGING = ROOT / "manifests" / "logging"
AWS = ROOT / "manifests" / "aws" / "logging.yaml"
OVERLAYS = {
    "loki": "loki",
    "elasticsearch": "es",
    "cloudwatch": "cloudwatch_logs",
    "firehose": "kinesis_firehose",
}
DAY = 24


@cache
def rendered(overlay: str) -> list[dict[str, Any]]:
    """`kubectl kustomize`."""
    done = subprocess.run(
        [str(tool("kubectl")), "kustomize", str(LOGGING / overlay)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def one(overlay: str, kind: str, prefix: str = "") -> dict[str, Any]:
    [found] = [
        item
        for item in rendered(overlay)
        if item["kind"] == kind and item["metadata"]["name"].startswith(prefix)
    ]
    return found


def config(overlay: str, file: str) -> dict[str, Any]:
    """One of the collector's two files as it will be mounted."""
    [found] = [
        item["data"][file]
        for item in rendered(overlay)
        if item["kind"] == "ConfigMap" and file in item["data"]
    ]
    parsed: dict[str, Any] = yaml.safe_load(found)
    return parsed


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_valid_kubernetes(overlay: str) -> None:
    for item in rendered(overlay):
        kubernetes_validate.validate(item, "1.34", strict=True)


@pytest.mark.covers("LG-02", "LG-03", "LG-07")
@pytest.mark.parametrize(("overlay", "plugin"), OVERLAYS.items())
def test_the_collector_takes_tenants_lines_from_the_nodes_and_sends_them_to_the_overlays_target(
    overlay: str, plugin: str
) -> None:
    base, out = config(overlay, "fluent-bit.yaml"), config(overlay, "output.yaml")
    assert "/fluent-bit/config/output.yaml" in base["includes"]
    [source] = base["pipeline"]["inputs"]
    assert (source["name"], source["path"]) == ("tail", "/var/log/containers/*.log")
    merged, kept = base["pipeline"]["filters"]
    assert (merged["name"], merged["merge_log"]) == ("kubernetes", True)
    assert "$kubernetes['labels']['airflowtenants.io/tenant'] .+" in kept["regex"]
    [target] = out["pipeline"]["outputs"]
    assert (target["name"], target["match"]) == (plugin, source["tag"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_variable_of_the_configuration_is_given_or_a_secret(overlay: str) -> None:
    text = next(
        item["data"]["output.yaml"]
        for item in rendered(overlay)
        if item["kind"] == "ConfigMap" and "output.yaml" in item["data"]
    )
    used = {part.split("}")[0] for part in text.split("${")[1:]}
    given = set(one(overlay, "ConfigMap", "fluent-bit-target")["data"])
    assert used - given == (
        {"ELASTICSEARCH_USER", "ELASTICSEARCH_PASSWORD"} if overlay == "elasticsearch" else set()
    )
    assert given <= used | {"AWS_REGION"}


def test_the_collector_may_read_pods_labels_and_nothing_else() -> None:
    rules = one("loki", "ClusterRole")["rules"]
    assert rules == [
        {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["get", "list", "watch"]}
    ]
    [container] = one("loki", "DaemonSet")["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["logs"]["readOnly"]


def test_no_secret_is_in_the_manifests() -> None:
    assert not [item for overlay in OVERLAYS for item in rendered(overlay) if item["kind"] == "Secret"]


# how long logs stay


@pytest.mark.covers("LG-08")
def test_logs_stay_thirty_to_ninety_days_where_they_are_searched() -> None:
    limits = yaml.safe_load((LOGGING / "loki" / "limits.yaml").read_text())["loki"]
    assert limits["compactor"]["retention_enabled"]
    assert int(limits["limits_config"]["retention_period"].removesuffix("h")) == 30 * DAY
    phases = elasticsearch("_ilm/policy/airflow-logs")["policy"]["phases"]
    assert phases["hot"]["actions"]["rollover"]["max_age"] == "1d"
    assert phases["warm"]["min_age"] == "30d"
    assert phases["warm"]["actions"]["forcemerge"]["index_codec"] == "best_compression"
    assert phases["delete"]["min_age"] == "90d"
    assert int(one("cloudwatch", "ConfigMap", "fluent-bit-target")["data"]["RETENTION_DAYS"]) == 30


def elasticsearch(path: str) -> dict[str, Any]:
    """What the commands of docs/logs.md put at a path of Elasticsearch's API."""
    text = (ROOT / "docs" / "logs.md").read_text()
    [file] = re.findall(rf'^curl --fail -X PUT "\$ELASTICSEARCH/{path}" --json @(\S+)$', text, re.MULTILINE)
    parsed: dict[str, Any] = json.loads((ROOT / file).read_text())
    return parsed


@pytest.mark.covers("LG-08")
def test_the_data_stream_of_elasticsearch_gets_the_policy_and_not_the_built_in_one() -> None:
    template = elasticsearch("_index_template/airflow-logs")
    [output] = config("elasticsearch", "output.yaml")["pipeline"]["outputs"]
    [pattern] = template["index_patterns"]
    assert fnmatch(output["index"], pattern)
    assert template["data_stream"] == {}
    # https://www.elastic.co/docs/manage-data/data-store/templates: built-in ones have 100 to 200
    assert template["priority"] > 200
    assert template["template"]["settings"]["index.lifecycle.name"] == "airflow-logs"
    mapped = template["template"]["mappings"]
    assert mapped["dynamic_templates"][0]["strings"]["mapping"]["type"] == "keyword", "tenant : x is exact"
    assert mapped["properties"]["try_number"]["type"] == "integer", "try_number > 1 compares numbers"


class _Cloud(yaml.SafeLoader):
    """CloudFormation's short forms as plain values."""


_Cloud.add_multi_constructor("!", lambda loader, suffix, node: f"{suffix} {node.value}")


def resources(kind: str) -> list[dict[str, Any]]:
    """Properties of every resource of a type."""
    template = yaml.load(AWS.read_text(), _Cloud)  # noqa: S506 - a SafeLoader with tags added
    return [item["Properties"] for item in template["Resources"].values() if item["Type"] == kind]


def test_the_template_is_what_cloudformation_expects() -> None:
    found = cfnlint.lint(AWS.read_text())
    assert found == [], [str(match) for match in found]


def test_the_check_of_the_template_finds_a_mistake() -> None:
    broken = AWS.read_text().replace("TrafficType: ALL", "TrafficType: EVERYTHING")
    assert [match.rule.id for match in cfnlint.lint(broken)] == ["E3030"]


@pytest.mark.covers("LG-02", "LG-08")
def test_the_stream_writes_to_a_bucket_that_gets_cheaper_and_forgets() -> None:
    [stream] = resources("AWS::KinesisFirehose::DeliveryStream")
    target = stream["ExtendedS3DestinationConfiguration"]
    assert (target["BucketARN"], target["CompressionFormat"]) == ("GetAtt Logs.Arn", "GZIP")
    [output] = config("firehose", "output.yaml")["pipeline"]["outputs"]
    assert "compression" not in output, "compressed twice, nothing can read it"
    [bucket] = resources("AWS::S3::Bucket")
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    logs = rules["task-and-application-logs"]
    assert target["Prefix"].startswith(logs["Prefix"])
    assert [(step["StorageClass"], step["TransitionInDays"]) for step in logs["Transitions"]] == [
        ("STANDARD_IA", "Ref RetentionDays"),
        ("GLACIER", 90),
    ]
    assert logs["ExpirationInDays"] == 365
    parameter = yaml.load(AWS.read_text(), _Cloud)["Parameters"]["RetentionDays"]  # noqa: S506 - see above
    assert (parameter["Default"], parameter["AllowedValues"]) == (30, [30, 60, 90])


@pytest.mark.covers("LG-03")
def test_the_platforms_groups_of_cloudwatch_keep_lines_for_the_retention_and_have_its_key() -> None:
    groups = resources("AWS::Logs::LogGroup")
    assert groups
    for group in groups:
        assert group["RetentionInDays"] == "Ref RetentionDays"
        assert group["KmsKeyId"] == "GetAtt Key.Arn"


@pytest.mark.covers("LG-03")
def test_each_tenant_has_a_group_of_cloudwatch_and_the_operator_one() -> None:
    [output] = config("cloudwatch", "output.yaml")["pipeline"]["outputs"]
    assert output["log_group_template"] == "/airflow/$kubernetes['labels']['airflowtenants.io/tenant']"
    assert output["log_group_name"] == "/airflow/operator"
    assert output["log_retention_days"] == "${RETENTION_DAYS}"
    [policy] = resources("AWS::IAM::ManagedPolicy")
    allowed = [statement["Resource"] for statement in policy["PolicyDocument"]["Statement"]]
    assert any(resource.endswith(":log-group:/airflow/*") for resource in allowed)


def test_whose_a_line_is_is_said_by_the_pod_and_not_by_the_line() -> None:
    """`rename` leaves a field that is there already, as a DAG may log one:
    https://docs.fluentbit.io/manual/data-pipeline/filters/modify
    """
    rules = config("elasticsearch", "output.yaml")["pipeline"]["filters"]
    renamed = [line.split() for rule in rules for line in rule.get("hard_rename", [])]
    assert {new for _, new in renamed} == {"namespace", "pod", "container", "tenant", "team", "component"}
    assert not [rule for rule in rules if "rename" in rule]


@pytest.mark.covers("LG-06")
def test_slow_commands_of_redis_are_delivered_as_json() -> None:
    [parameters] = resources("AWS::ElastiCache::ParameterGroup")
    assert int(parameters["Properties"]["slowlog-log-slower-than"]) > 0
    [broker] = resources("AWS::ElastiCache::ReplicationGroup")
    assert broker["CacheParameterGroupName"] == "Ref RedisParameters"
    assert broker["LogDeliveryConfigurations"] == [
        {
            "LogType": "slow-log",
            "LogFormat": "json",
            "DestinationType": "cloudwatch-logs",
            "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "Ref RedisSlowLogs"}},
        }
    ]


def test_the_broker_is_made_on_request_only_and_closed() -> None:
    template = yaml.load(AWS.read_text(), _Cloud)  # noqa: S506 - see above
    parts = {name: item for name, item in template["Resources"].items() if name.startswith("Broker")}
    assert parts.keys() == {"Broker", "BrokerSubnets", "BrokerToken"}
    assert {item["Condition"] for item in parts.values()} == {"WithBroker"}
    assert template["Parameters"]["BrokerSubnetIds"]["Default"] == ""
    broker = parts["Broker"]["Properties"]
    assert broker["AtRestEncryptionEnabled"]
    assert broker["TransitEncryptionEnabled"]
    assert broker["AuthToken"] == "Sub {{resolve:secretsmanager:${BrokerToken}}}"


def may_write(service: str, folder: str) -> None:
    """A service of AWS may put objects into the bucket and encrypt them with its key:
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
    """
    [bucket] = resources("AWS::S3::BucketPolicy")
    [key] = resources("AWS::KMS::Key")

    def allowed(policy: dict[str, Any], action: str) -> list[str]:
        return [
            str(part["Resource"])
            for part in policy["Statement"]
            if part["Effect"] == "Allow" and service in str(part["Principal"]) and action in part["Action"]
        ]

    assert any(folder in resource for resource in allowed(bucket["PolicyDocument"], "s3:PutObject"))
    assert allowed(bucket["PolicyDocument"], "s3:GetBucketAcl") == ["GetAtt Logs.Arn"]
    assert allowed(key["KeyPolicy"], "kms:GenerateDataKey*") == ["*"]
    assert allowed(key["KeyPolicy"], "kms:Decrypt*") == ["*"]


@pytest.mark.covers("LG-11")
def test_network_flows_and_the_audit_trail_of_the_account_are_kept() -> None:
    [flows] = resources("AWS::EC2::FlowLog")
    assert (flows["ResourceType"], flows["TrafficType"]) == ("VPC", "ALL")
    assert flows["LogDestination"] == "Sub ${Logs.Arn}/audit/flow-logs/"
    may_write("delivery.logs.amazonaws.com", "/audit/flow-logs/AWSLogs/")
    may_write("cloudtrail.amazonaws.com", "/audit/AWSLogs/")
    [trail] = resources("AWS::CloudTrail::Trail")
    assert trail["IsMultiRegionTrail"]
    assert trail["IsLogging"]
    assert trail["EnableLogFileValidation"]
    [bucket] = resources("AWS::S3::Bucket")
    audit = next(rule for rule in bucket["LifecycleConfiguration"]["Rules"] if rule["Id"] == "audit")
    assert audit["Prefix"] == f"{trail['S3KeyPrefix']}/"
    assert audit["ExpirationInDays"] >= 365


# the database's log


def programs() -> Path:
    """The folder of PostgreSQL's server programs."""
    debians = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return debians[-1] if debians else Path(str(shutil.which("initdb"))).resolve().parent


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the server's user owns: the server refuses root."""
    made = Path(tempfile.mkdtemp(prefix="pg-log-"))
    if os.geteuid() == 0:
        shutil.chown(made, "postgres")
    yield made
    shutil.rmtree(made)


def run(folder: Path, *command: str) -> str:
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    done = subprocess.run(
        [str(programs() / command[0]), *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        **user,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.mark.covers("LG-05")
def test_slow_statements_and_connections_are_in_the_log_of_a_real_server(folder: Path) -> None:
    [group] = resources("AWS::RDS::DBParameterGroup")
    wanted = group["Parameters"]
    assert wanted["log_min_duration_statement"] == "1000"
    values = yaml.safe_load((ROOT / "charts" / "airflow-tenant" / "values.yaml").read_text())
    assert values["postgresql"]["config"]["log_min_duration_statement"] == "1000"
    settings = " ".join(f"-c {name}={value}" for name, value in wanted.items())
    data, log = str(folder / "data"), folder / "log"
    run(folder, "initdb", "-D", data, "-U", "airflow", "-A", "trust", "--no-sync")
    start = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off {settings}"
    run(folder, "pg_ctl", "-D", data, "-l", str(log), "-w", "-o", start, "start")
    try:
        for statement in ("SELECT 'quick'", "SELECT 'slow', pg_sleep(1.1)"):
            run(folder, "psql", "-h", str(folder), "-U", "airflow", "-d", "postgres", "-c", statement)
    finally:
        run(folder, "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    told = log.read_text()
    assert "statement: SELECT 'slow', pg_sleep(1.1)" in told
    assert "'quick'" not in told
    assert told.count("connection authorized: user=airflow") == 2
    assert told.count("disconnection: session time") == 2
