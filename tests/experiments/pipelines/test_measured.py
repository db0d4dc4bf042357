"""What the committed measurements say of heads on smoothed embeddings of CIFAR-10, over seeds of the head."""

from pathlib import Path
from statistics import mean

import pytest

from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.utils.files import json_lines

TABLE = Path(__file__).resolve().parents[3] / "assets" / "pipeline" / "cifar10.jsonl"
SMOOTHED = "hybrid-vit | l2 | whiten(0.75) | l2 | smooth(20, 3)"
EXPANDED = f"{SMOOTHED} | expand(20)"
FLOORS = {32: 0.755, 64: 0.765}  # mAP@1000 by bits


def measured(before, rule, *, epochs, bits):
    """mAP@1000 by seed, on all queries, of heads on vectors after some stages."""
    stages, values = Pipeline(f"{before} | float").line.steps[:-1], {}
    for row in json_lines(TABLE):
        *steps, head = Pipeline(row["pipeline"]).line.steps
        options = dict(head.options)
        if tuple(steps) != tuple(stages) or head.name != "clipped":
            continue
        if (options["rule"], options["epochs"], options["bits"]) == (rule, epochs, bits):
            assert (row["n_queries"], row["n_database"], row["k"]) == (10_000, 50_000, 1000)
            assert options["seed"] not in values, "a seed counts once"
            values[options["seed"]] = row["map"]
    return values


@pytest.mark.parametrize(
    ("before", "epochs", "bits", "gain"), [(SMOOTHED, 16, 32, 0.015), (EXPANDED, 32, 32, 0), (EXPANDED, 32, 64, 0)]
)
def test_clipping_is_ahead_of_none_for_each_seed_and_on_average(before, epochs, bits, gain):
    clipped, none = (measured(before, rule, epochs=epochs, bits=bits) for rule in ("adaptive", "none"))
    common = clipped.keys() & none.keys()
    assert len(common) >= 3
    assert all(clipped[seed] > none[seed] for seed in common)
    assert mean(clipped[seed] - none[seed] for seed in common) >= gain


@pytest.mark.parametrize(("before", "bits"), [(SMOOTHED, 32), (EXPANDED, 32), (EXPANDED, 64)])
def test_codes_reach_their_floor_over_three_seeds(before, bits):
    values = measured(before, "adaptive", epochs=32, bits=bits)
    assert len(values) >= 3
    assert mean(values.values()) >= FLOORS[bits]
