"""The steps of `flow` on a pipeline, and the rankers of `select`."""

import json

import numpy as np
import pytest

from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.experiments.pipelines.rankers import Rankers, measure, read, write
from transclipped.experiments.pipelines.stepwise import BEFORE, STEPS, FlowSteps

RUN = "run:hybrid-caltech101-32-clipped"
QUERY = "2500"


@pytest.fixture(scope="module")
def steps():
    return FlowSteps(Pipeline(f"{RUN} | qe(5) | flow(10)").fit("caltech101"))


def test_the_last_step_is_what_flow_finds_alone(steps):
    rungs = steps.rungs(QUERY)
    assert [rung.stage for rung in rungs] == [BEFORE, *STEPS]
    alone = Pipeline(f"{RUN} | flow(10)").fit("caltech101").ladder(QUERY)
    np.testing.assert_array_equal(rungs[0].hits.rows, alone[0].hits.rows)
    np.testing.assert_array_equal(rungs[-1].hits.rows, alone[-1].hits.rows)
    assert (rungs[-1].ap, rungs[-1].ap_r) == (alone[-1].ap, alone[-1].ap_r)


def test_parts_hold_each_item_at_most_once_the_largest_first(steps):
    steps.rungs(QUERY)
    parts = list(steps.parts())
    sizes = [len(part) for part in parts]
    assert sizes == sorted(sizes, reverse=True) and min(sizes) >= 2
    rows = np.concatenate(parts)
    assert len(set(rows.tolist())) == len(rows)


def test_fused_lines_are_refused():
    with pytest.raises(InputError, match="fusion"):
        FlowSteps(Pipeline("rrf(head32 | gem + stem16 | gem)"))


@pytest.fixture(scope="module")
def rankers():
    data = DataConfig(dataset="cifar10", train_limit=80, database_limit=80, query_limit=20)
    lines = {
        "fine": "stem16(64) | mean | l2",
        "signs": "stem16(64) | mean | l2 | lsh(16)",
        "coarse": "stem16(32) | max",
    }
    return measure(lines, data)


def test_scores_follow_from_effectiveness_and_correlation(rankers):
    for beta in (-2.0, 0.0, 1.5):
        scores = rankers.scores(beta)
        for a in range(3):
            for b in range(3):
                if a == b:
                    assert np.isnan(scores[a, b])
                else:
                    e, rho = rankers.effectiveness, rankers.correlation[a, b]
                    assert scores[a, b] == pytest.approx(e[a] * e[b] / (1 + rho) ** beta)
        a, b = rankers.best(beta)
        assert a < b and scores[a, b] == np.nanmax(scores)
        assert -1 <= rankers.agreement(beta) <= 1


def test_each_ranker_is_measured_as_its_pipeline(rankers):
    data = DataConfig(dataset="cifar10", train_limit=80, database_limit=80, query_limit=20)
    for line, value in zip(rankers.lines, rankers.map_r, strict=True):
        assert Pipeline(line).fit(data).evaluate()["map_r"] == pytest.approx(value, abs=1e-5)


def test_a_pair_is_measured_as_the_fusion_in_a_line(rankers):
    data = DataConfig(dataset="cifar10", train_limit=80, database_limit=80, query_limit=20)
    line = f"cprr-fusion({rankers.lines[0]} + {rankers.lines[1]})"
    assert Pipeline(line).fit(data).evaluate()["map_r"] == pytest.approx(rankers.pairs[0, 1], abs=1e-5)


def test_a_file_gives_back_what_was_measured(rankers, tmp_path):
    write(rankers, tmp_path / "r.json")
    again = read(tmp_path / "r.json")
    assert isinstance(again, Rankers) and again.names == rankers.names
    np.testing.assert_allclose(again.pairs, rankers.pairs, atol=1e-5)
    np.testing.assert_allclose(again.effectiveness, rankers.effectiveness, atol=1e-5)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"names": ["a"]}', "null"])
def test_damaged_files_are_refused(content, tmp_path):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(InputError, match=r"r\.json"):
        read(tmp_path / "r.json")


def test_a_file_with_shapes_that_disagree_is_refused(rankers, tmp_path):
    write(rankers, path := tmp_path / "r.json")
    values = json.loads(path.read_text())
    for name in ("effectiveness", "correlation", "map_r", "pairs"):
        path.write_text(json.dumps(values | {name: values[name][:-1]}))
        with pytest.raises(InputError, match=r"r\.json"):
            read(path)
