"""The built site, once a session."""

from __future__ import annotations

import pytest
from tests.docs.built import Site, build


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return build(tmp_path_factory.mktemp("site"))
