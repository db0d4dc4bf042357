"""The examples in docstrings do what they say."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["index", "metrics"])
def test_examples(name):
    found = doctest.testmod(import_module(f"transclipped.retrieval.{name}"))
    assert found.attempted and not found.failed
