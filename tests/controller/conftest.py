"""One control plane, operator and kubelet for this folder in a worker; each test has tenants of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.airflow.server import JOBS, AirflowServer
from tests.controller.stack import Stack, running


@pytest.fixture(scope="package")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The operator with its own rights on a real API server; Airflows do not answer.

    It ends with the folder: a control plane at rest still takes a good part of a core from the other tests.
    """
    with running(tmp_path_factory.mktemp("stack"), DELETION_DEADLINE="3") as stack:
        yield stack


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """The shared stack; what the test makes is deleted after it."""
    if shared_stack.operator.process is None:
        shared_stack.operator.start()
    yield shared_stack
    if shared_stack.operator.process is None:
        shared_stack.operator.start()
    shared_stack.clean()


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    """A real Airflow API server; which components have a heartbeat is for the test to say."""
    server = AirflowServer.start(tmp_path_factory.mktemp("airflow"))
    server.heartbeat(*JOBS)
    yield server
    server.stop()
