"""The parts of a Spark job's request."""

from __future__ import annotations

import pytest

from airflow_usecases import lake_jobs


def test_sizes_that_are_not_given_are_left_to_the_application():
    assert lake_jobs.spark_job("s3://b/a.py") == {"sparkSubmit": {"entryPoint": "s3://b/a.py"}}


def test_arguments_and_sizes_are_passed():
    assert lake_jobs.spark_job("s3://b/a.py", "--day", "d", executor_cores=4, executor_memory="16g") == {
        "sparkSubmit": {
            "entryPoint": "s3://b/a.py",
            "entryPointArguments": ["--day", "d"],
            "sparkSubmitParameters": "--conf spark.executor.cores=4 --conf spark.executor.memory=16g",
        }
    }


def test_logs_go_to_s3_only():
    with pytest.raises(ValueError, match="s3://"):
        lake_jobs.logs_to("/var/log")
