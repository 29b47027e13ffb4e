from __future__ import annotations

from tests.controller.stack import Stack


def test_create(stack: Stack) -> None:
    tenant = stack.create("create")
    tenant.wait_released()
