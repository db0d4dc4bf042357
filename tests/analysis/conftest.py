"""Fixtures of the tests of maps."""

import numpy as np
import pytest

from transclipped.analysis.maps import umap_job


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    yield tmp_path
    umap_job.cancel()
