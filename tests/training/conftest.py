"""Configurations of real, small trainings; features come from the session's cache after the first."""

from dataclasses import replace

import pytest

from transclipped.config import BackboneConfig, DataConfig, RunConfig, ScheduleConfig


@pytest.fixture(scope="session")
def tiny():
    """200 real pictures, 40 queries, 180 left to train: 3 steps an epoch. Keywords replace whole sections."""
    config = RunConfig(
        data=DataConfig(train_limit=200, database_limit=200, query_limit=40, validation=20),
        backbone=BackboneConfig(name="efficientnet-lite0", image_size=32),
        schedule=ScheduleConfig(epochs=3, views=2, batch=50),
    )
    return lambda **changes: replace(config, **changes)
