"""What a reader of the package gets: its licence, and docstrings and a README that leave nothing out."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest
from tests.dags.home import ROOT

import tenant_airflow_lib

HOME = ROOT / "dags" / "lib"
KINDS = ("operators", "sensors", "notifiers")


def public_classes() -> Iterator[type]:
    for kind in KINDS:
        package = importlib.import_module(f"tenant_airflow_lib.{kind}")
        for module in pkgutil.iter_modules(package.__path__):
            loaded = importlib.import_module(f"{package.__name__}.{module.name}")
            for name, item in vars(loaded).items():
                if inspect.isclass(item) and item.__module__ == loaded.__name__ and name[0] != "_":
                    yield item


def parameters_of(item: type) -> set[str]:
    own = vars(item).get("__init__")
    return set(inspect.signature(own).parameters) - {"self", "args", "kwargs"} if own else set()


CLASSES = [
    item for item in public_classes() if parameters_of(item) and "__dataclass_fields__" not in vars(item)
]


@pytest.mark.parametrize("item", CLASSES, ids=lambda item: item.__name__)
def test_a_docstring_names_every_parameter(item: type) -> None:
    text = inspect.getdoc(item) or ""
    assert {name for name in parameters_of(item) if not re.search(rf"\b{name}\b", text)} == set()


def test_every_kind_has_classes_to_look_at() -> None:
    assert {item.__module__.split(".")[1] for item in CLASSES} == set(KINDS)


@pytest.mark.parametrize(
    "name",
    [
        module.name
        for module in pkgutil.iter_modules(tenant_airflow_lib.__path__)
        if module.name not in ("hooks", "triggers")
    ],
)
def test_the_readme_names_every_module(name: str) -> None:
    assert f"| `{name}" in (HOME / "README.md").read_text()


def test_the_readme_installs_the_package_from_its_source_and_not_by_its_name() -> None:
    text = (HOME / "README.md").read_text()
    assert "pip install ./dags/lib" in text
    assert "pip install tenant-airflow-lib" not in text


@pytest.mark.parametrize("package", ["lib", "lint"])
def test_a_package_carries_the_licence_of_the_repository(package: str) -> None:
    """Hatchling puts a file LICENSE beside pyproject.toml into the wheel by itself."""
    assert (ROOT / "dags" / package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.covers("X-14")
def test_a_template_field_is_an_attribute_and_no_decorator_of_airflow_2_is_needed() -> None:
    """Airflow renders attributes: a field that `__init__` does not set fails every import of a DAG."""
    rendered = [
        item
        for item in CLASSES
        if item.__module__.split(".")[1] in ("operators", "sensors") and "template_fields" in vars(item)
    ]
    assert {"DataQualitySensor", "ModelPerformanceSensor"} <= {item.__name__ for item in rendered}
    assert len(rendered) >= 10
    for item in rendered:
        fields = set(item.template_fields)  # type: ignore[attr-defined]
        assert fields <= parameters_of(item), item
        source = inspect.getsource(item)
        assert {field for field in fields if f"self.{field} = " not in source} == set(), item
        assert "apply_defaults" not in inspect.getsource(inspect.getmodule(item) or item)


@pytest.mark.covers("S002-32")
def test_own_operators_and_sensors_are_an_installed_package_and_no_plugins() -> None:
    """Bundles of DAGs carry no `plugins/`, the chart's values name none, and the image has the wheel."""
    wanted = {
        "operators.mlflow": ("MLflowLogMetricsOperator", "MLflowModelTransitionOperator"),
        "operators.kubeflow": ("KubeflowPipelineOperator", "KubeflowExperimentOperator"),
        "operators.great_expectations": ("GreatExpectationsOperator",),
        "sensors.mlflow": ("MLflowModelStageSensor", "MLflowRunCompleteSensor", "ModelPerformanceSensor"),
        "sensors.kubeflow": ("KubeflowPipelineRunSensor",),
        "sensors.data_quality": ("DataQualitySensor",),
    }
    for module, names in wanted.items():
        loaded = importlib.import_module(f"tenant_airflow_lib.{module}")
        assert [name for name in names if not inspect.isclass(getattr(loaded, name, None))] == []
    assert importlib.metadata.version("tenant-airflow-lib")
    assert 'packages = ["src/tenant_airflow_lib"]' in (HOME / "pyproject.toml").read_text()
    assert not [path for path in (ROOT / "dags").rglob("plugins") if path.is_dir()]
    assert "plugins" not in (ROOT / "charts" / "airflow-tenant" / "values.yaml").read_text()
    image = (ROOT / "images" / "airflow" / "Containerfile").read_text()
    assert re.search(r"pip wheel .* /out/dags/lib\b", image)
