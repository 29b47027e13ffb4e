"""Every sample of the user documentation is valid, and what it says about keys and problems is true."""

from __future__ import annotations

import ast
import io
import json
import re

import jsonschema
import pytest
import yaml
from tests.dags.home import ROOT

from tenant_airflow_lib.factory import Policy, load_dags, model, schema
from tenant_airflow_lib.factory.cli import main
from tenant_airflow_lib.factory.operators import DECORATORS, OPERATORS

TEXT = (ROOT / "docs" / "dag-factory.md").read_text()
POLICY = Policy(callables=("airflow_usecases",), builtins=("bash",))


def samples(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def built(tmp_path, text, name="sample.yaml", **options):
    path = tmp_path / name
    path.write_text(text)
    namespace = {}
    dags = load_dags(path, namespace, policy=POLICY, **options)
    assert not [broken for broken in namespace if broken.startswith("definition_errors")]
    return dags


@pytest.mark.parametrize("number", range(3))
def test_a_yaml_sample_satisfies_the_schema_and_makes_dags(tmp_path, number):
    text = samples("yaml")[number]
    jsonschema.Draft202012Validator(json.loads(schema.FILE.read_text())).validate(yaml.safe_load(text))
    assert built(tmp_path, text)


def test_there_are_three_yaml_samples_and_a_template():
    assert (len(samples("yaml")), len(samples("jinja")), len(samples("python"))) == (3, 1, 1)


def test_the_template_sample_makes_its_two_dags(tmp_path):
    dags = built(tmp_path, samples("jinja")[0], "sample.yaml.j2")
    assert set(dags) == {"copy_orders", "copy_refunds"}
    assert dags["copy_orders"].get_task("copy_rows").bash_command == "echo orders {{ ds }}"


def test_the_environment_sample_does_what_the_text_says(tmp_path):
    text = samples("yaml")[1]
    dev, prod = (built(tmp_path, text, environment=name)["load_orders"] for name in ("dev", "prod"))
    assert (dev.schedule, prod.schedule) == (None, "@hourly")
    assert (dev.max_active_runs, prod.max_active_runs, prod.max_active_tasks) == (1, 3, 8)
    assert prod.get_task("list_objects").bash_command == "echo s3://lake/{{ ds }} as ${USER}"


def test_the_inheritance_sample_does_what_the_text_says(tmp_path):
    dags = built(tmp_path, samples("yaml")[2])
    assert set(dags) == {"shop_north_sales", "shop_south_sales"}
    load = dags["shop_north_sales"].get_task("load_sales")
    assert (load.bash_command, load.retries, load.pool) == ("echo load", 5, "shop_north")
    assert dags["shop_south_sales"].tags == {"nightly", "shop:south"}


def test_the_python_sample_makes_the_first_dag(tmp_path):
    from tests.dags.library import parse

    (tmp_path / "customers.yaml").write_text(samples("yaml")[0])
    (tmp_path / "customers.py").write_text(samples("python")[0])
    ast.parse(samples("python")[0])
    found = parse(tmp_path)
    assert (set(found.dags), found.import_errors) == ({"etl_customer_data"}, {})


def test_the_output_of_the_command_is_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.yaml").write_text(samples("yaml")[0])
    (tmp_path / "broken.yaml").write_text(
        "format: 1\ndags:\n  - dag_id: nightly_load\n    shedule: x\n    tasks:\n"
        "      - {id: load, operator: spark}\n"
    )
    good, bad = (sample.splitlines() for sample in samples("console"))
    out = io.StringIO()
    assert main(["validate", "customers.yaml", "--callables", "airflow_usecases"], out) == 0
    assert out.getvalue().splitlines() == good[1:]
    out = io.StringIO()
    assert main(["validate", "broken.yaml"], out) == 1
    shown, written = bad[1:], out.getvalue().splitlines()
    assert [line[: len(start)] for line, start in zip(written, shown, strict=True)] == shown


def test_every_key_and_every_operator_is_in_the_documentation():
    documented = set(re.findall(r"`(\w+)`", TEXT))
    keys = {*model.Dag.model_fields, *model.Task.model_fields, *OPERATORS, *DECORATORS} - {"max_retry_delay"}
    assert keys <= documented
