"""What tests share: a cache and runs of their own, and one small run on real pictures."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TINY = [
    *("--dataset", "cifar10", "--train-limit", "200", "--database-limit", "200", "--query-limit", "40"),
    *("--epochs", "2", "--views", "2", "--batch", "50", "--image-size", "32", "--backbone", "efficientnet-lite0"),
]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing is read from, or left in, the cache of whoever runs the tests."""
    before = os.environ.get("TRANSCLIPPED_CACHE")
    os.environ["TRANSCLIPPED_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["TRANSCLIPPED_CACHE"]
    else:
        os.environ["TRANSCLIPPED_CACHE"] = before


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, own_cache):
    """Path of a finished run: 200 real pictures, 40 queries, two epochs."""
    from transclipped.cli import main

    path = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", *TINY, "--validation", "20", "--run", str(path)]) == 0
    return path
