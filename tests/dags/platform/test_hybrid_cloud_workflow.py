"""The file is in S3 before anything works on it. Real SSH and SFTP; S3 and Batch by moto.

moto has no running containers here: a submitted job is SUCCEEDED at once. The cluster is a stub of the API's
two calls, list and create (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/);
it gets the pod that the operator builds. What follows, waiting in the triggerer, is the provider's.
"""

from __future__ import annotations

import datetime

import pytest
import requests
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "hybrid_cloud_workflow"
DAY = datetime.datetime(2026, 3, 6, tzinfo=datetime.UTC)
KEY = "final/2026-03-06.csv"
URI = f"s3://hybrid-bucket/{KEY}"


@pytest.fixture
def cloud(aws, monkeypatch):
    """Bucket, queue, job definition; `cloud.seen`: was the object there when a job was submitted?"""
    answer = requests.post(
        f"{aws.endpoint}/moto-api/config", json={"batch": {"use_docker": False}}, timeout=10
    )
    answer.raise_for_status()
    aws.connection("aws_conn")
    s3, batch, iam = aws.client("s3"), aws.client("batch"), aws.client("iam")
    s3.create_bucket(Bucket="hybrid-bucket")
    role = iam.create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    environment = batch.create_compute_environment(
        computeEnvironmentName="on-demand", type="UNMANAGED", state="ENABLED", serviceRole=role
    )
    batch.create_job_queue(
        jobQueueName="aws-batch-queue",
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}],
    )
    batch.register_job_definition(
        jobDefinitionName="pyspark-job",
        type="container",
        containerProperties={"image": "pyspark", "vcpus": 1, "memory": 128},
    )
    cloud = Cloud(s3, batch)

    from moto.batch_simple.models import BatchSimpleBackend

    submit = BatchSimpleBackend.submit_job

    def watched(self, *args, **kwargs):
        cloud.seen.append(cloud.exists(KEY))
        return submit(self, *args, **kwargs)

    monkeypatch.setattr(BatchSimpleBackend, "submit_job", watched)
    return cloud


class Cloud:
    def __init__(self, s3, batch) -> None:
        self.s3, self.batch = s3, batch
        self.seen: list[bool] = []

    def exists(self, key: str) -> bool:
        return self.s3.list_objects_v2(Bucket="hybrid-bucket", Prefix=key)["KeyCount"] == 1

    def job(self, job_id: str) -> dict:
        return self.batch.describe_jobs(jobs=[job_id])["jobs"][0]


@pytest.fixture
def on_prem(sftp):
    sftp.connection("on_prem_ssh", conn_type="ssh")
    sftp.answer("/scripts/extract.sh", "done\n")
    (sftp.root / "data").mkdir()
    (sftp.root / "data" / "final.csv").write_text("id,amount\n1,10\n")
    return sftp


@pytest.mark.covers("D000-7")
def test_the_object_exists_before_the_batch_job_is_submitted(cloud, on_prem, caplog):
    assert not cloud.exists(KEY)
    with caplog.at_level("INFO"):
        done = run(DAG_ID, logical_date=DAY)
    assert done.state == "success"
    assert done.of("success") == {
        "extract_data_on_prem",
        "load_to_s3",
        "choose_transform",
        "transform_in_aws",
    }
    assert done.of("skipped") == {"transform_in_pod"}
    assert on_prem.commands == ["/scripts/extract.sh"]
    assert cloud.seen == [True]
    content = cloud.s3.get_object(Bucket="hybrid-bucket", Key=KEY)["Body"].read()
    assert content == b"id,amount\n1,10\n"
    (line,) = [record.getMessage() for record in caplog.records if record.name == "audit.transfer"]
    assert '"sftp_path": "/data/final.csv"' in line
    assert f'"s3_key": "{KEY}"' in line


@pytest.mark.covers("D000-7")
def test_the_job_runs_in_the_queue_with_the_definition_and_the_object_as_its_input(cloud, on_prem):
    done = run(DAG_ID, logical_date=DAY)
    job = cloud.job(done.xcom("transform_in_aws"))
    assert job["jobName"] == "transform_data"
    assert job["jobQueue"].endswith("/aws-batch-queue")
    assert "/pyspark-job:" in job["jobDefinition"]
    assert job["parameters"] == {"input": URI}


@pytest.mark.covers("D000-7")
def test_without_the_file_no_job_is_submitted(cloud, on_prem):
    (on_prem.root / "data" / "final.csv").unlink()
    done = run(DAG_ID, logical_date=DAY)
    assert done.state == "failed"
    assert done.states["load_to_s3"] == "failed"
    assert done.states["transform_in_aws"] == "upstream_failed"
    assert cloud.seen == []


@pytest.mark.covers("D000-7")
def test_a_script_that_fails_stops_the_run(cloud, on_prem):
    on_prem.answer("/scripts/extract.sh", "disk full\n", 1)
    done = run(DAG_ID, logical_date=DAY)
    assert done.states["extract_data_on_prem"] == "failed"
    assert cloud.seen == []
    assert not cloud.exists(KEY)


class Cluster:
    """Takes the place of Kubernetes' API; `pods` are the bodies that were posted, as JSON."""

    def __init__(self) -> None:
        self.pods: list[dict] = []

    def list_namespaced_pod(self, namespace, **options):
        from kubernetes.client import V1PodList

        assert options["label_selector"]
        return V1PodList(items=[])

    def create_namespaced_pod(self, body, namespace, **options):
        from kubernetes.client import V1ObjectMeta, V1Pod

        self.pods.append(body)
        name = body["metadata"]["name"]
        return V1Pod(metadata=V1ObjectMeta(name=name, namespace=namespace, uid="5f3b1c"))


@pytest.fixture
def cluster(monkeypatch):
    """The API that the operator finds inside its cluster."""
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from kubernetes import client

    stub = Cluster()
    monkeypatch.setattr(KubernetesHook, "get_conn", lambda self: client.ApiClient())
    monkeypatch.setattr(client.CoreV1Api, "list_namespaced_pod", stub.list_namespaced_pod)
    monkeypatch.setattr(client.CoreV1Api, "create_namespaced_pod", stub.create_namespaced_pod)
    return stub


@pytest.mark.covers("D000-7")
def test_the_portable_twin_runs_the_same_work_as_a_pod_and_waits_in_the_triggerer(
    cloud, on_prem, cluster, monkeypatch
):
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from airflow.sdk.exceptions import TaskDeferred

    waiting = []
    execute = KubernetesPodOperator.execute

    def until_it_waits(self, context):
        with pytest.raises(TaskDeferred) as deferred:
            execute(self, context)
        waiting.append(deferred.value)

    monkeypatch.setattr(KubernetesPodOperator, "execute", until_it_waits)
    done = run(DAG_ID, logical_date=DAY, conf={"transform_on": "kubernetes"})
    assert done.state == "success"
    assert done.of("skipped") == {"transform_in_aws"}
    assert cloud.seen == []
    (pod,) = cluster.pods
    assert pod["kind"] == "Pod"
    assert pod["metadata"]["name"].startswith("transform-data")
    assert pod["metadata"]["labels"]["task_id"] == "transform_in_pod"
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    (container,) = spec["containers"]
    assert container["image"] == "registry.example.com/data/pyspark-job:1.4.2"
    assert container["args"] == ["--input", URI]
    (deferred,) = waiting
    path, fields = deferred.trigger.serialize()
    assert path.endswith("KubernetesPodTrigger")
    assert fields["pod_name"] == pod["metadata"]["name"]
    assert (fields["in_cluster"], fields["poll_interval"], fields["startup_timeout"]) == (True, 30, 300)
    assert fields["on_finish_action"] == "delete_pod"


@pytest.mark.covers("D000-7")
def test_waiting_for_the_job_holds_no_worker_slot_and_hosts_are_checked():
    dag = bag().dags[DAG_ID]
    assert dag.schedule == "@daily"
    assert dag.get_task("transform_in_aws").deferrable
    assert dag.get_task("transform_in_pod").deferrable
    assert dag.get_task("load_to_s3").aws_conn_id == "aws_conn"


@pytest.mark.covers("X-13")
def test_the_file_is_moved_before_it_is_worked_on_by_operators_with_all_their_arguments():
    from airflow.providers.amazon.aws.operators.batch import BatchOperator

    dag = bag().dags[DAG_ID]
    moved, worked = dag.get_task("load_to_s3"), dag.get_task("transform_in_aws")
    assert moved.upstream_task_ids == {"extract_data_on_prem"}
    assert "load_to_s3" in dag.get_task("choose_transform").upstream_task_ids
    assert worked.upstream_task_ids == {"choose_transform"}
    assert type(worked) is BatchOperator
    assert (worked.job_queue, worked.job_definition) == ("aws-batch-queue", "pyspark-job")
    assert (moved.s3_bucket, moved.aws_conn_id) == ("hybrid-bucket", "aws_conn")
    assert moved.s3_key
    assert worked.parameters["input"] == f"s3://{moved.s3_bucket}/{moved.s3_key}"
    with open(dag.fileloc) as file:
        assert "s3_conn_id" not in file.read()
