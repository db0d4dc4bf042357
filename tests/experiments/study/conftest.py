"""What the study registers is forgotten after each of its tests."""

import pytest


@pytest.fixture(autouse=True)
def _registries(own_registries):
    yield
