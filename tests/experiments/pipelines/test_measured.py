"""What the committed measurements say of heads on smoothed embeddings of CIFAR-10, over seeds of the head."""

from pathlib import Path
from statistics import mean

from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.utils.files import json_lines

TABLE = Path(__file__).resolve().parents[3] / "assets" / "pipeline" / "cifar10.jsonl"
BEFORE = Pipeline("hybrid-vit | l2 | whiten(0.75) | l2 | smooth(20, 3) | float").line.steps[:-1]
FLOOR, GAIN = 0.755, 0.015  # mAP@1000 of 32 bits, and by how much clipping is ahead of none


def measured(rule, *, epochs, bits=32):
    """mAP@1000 by seed, on all queries."""
    values = {}
    for row in json_lines(TABLE):
        *before, head = Pipeline(row["pipeline"]).line.steps
        options = dict(head.options)
        if tuple(before) != tuple(BEFORE) or head.name != "clipped":
            continue
        if (options["rule"], options["epochs"], options["bits"]) == (rule, epochs, bits):
            assert (row["n_queries"], row["n_database"], row["k"]) == (10_000, 50_000, 1000)
            assert options["seed"] not in values, "a seed counts once"
            values[options["seed"]] = row["map"]
    return values


def test_clipping_is_ahead_of_none_for_each_seed_and_on_average():
    clipped, none = measured("adaptive", epochs=16), measured("none", epochs=16)
    common = clipped.keys() & none.keys()
    assert len(common) >= 3
    assert all(clipped[seed] > none[seed] for seed in common)
    assert mean(clipped[seed] - none[seed] for seed in common) >= GAIN


def test_thirty_two_bits_reach_their_floor_over_three_seeds():
    values = measured("adaptive", epochs=32)
    assert len(values) >= 3
    assert mean(values.values()) >= FLOOR
