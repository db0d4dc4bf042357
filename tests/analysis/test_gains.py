"""Gains of measured runs against a loop, and their intervals against SciPy."""

import numpy as np
import pytest
from scipy import stats

from transclipped.analysis.benchmarks import with_clipping, without_clipping
from transclipped.analysis.gains import CLASSES, SEEDS, gains, looks
from transclipped.config import ClippingConfig, DataConfig, RunConfig, to_dict
from transclipped.runs.run import RunDir, find_runs
from transclipped.utils.files import ASSETS, read_json, write_json

BUNDLED = ASSETS / "runs"


def put(folder, name: str, value: float | None, *, seed: int = 0, rule: str = "none", k: int = 10, **data) -> RunDir:
    """A run with settings and metrics only."""
    source = BUNDLED / "hybrid-cifar10-32-none"
    config = RunConfig(clipping=ClippingConfig(rule=rule), data=DataConfig(dataset="cifar10", **data), seed=seed)
    write_json(folder / name / "config.json", read_json(source / "config.json") | to_dict(config))
    metrics = read_json(source / "metrics.json") | {"k": k}
    classes = {"cat": (value or 0) - 0.1, "dog": (value or 0) + 0.1 + 0.02 * (rule != "none")}
    mode = metrics["modes"]["asymmetric"] | {"map": value, "per_class": classes}
    write_json(folder / name / "metrics.json", metrics | {"modes": {} if value is None else {"asymmetric": mode}})
    return RunDir(folder / name)


def test_bundled_pairs_are_those_of_without_clipping_and_largest_first():
    runs = find_runs(BUNDLED)
    expected = {}
    for run in runs:
        if (rival := without_clipping(run, runs)) is not None:
            maps = [r.metrics()["modes"]["asymmetric"]["map"] for r in (rival, run)]
            expected[((rival.name, run.name),)] = maps[1] - maps[0]
            assert with_clipping(rival, runs) is not None and with_clipping(run, runs) is None
    result = gains(runs)
    assert {gain.runs: gain.gain.mean for gain in result} == pytest.approx(expected)
    assert [gain.gain.mean for gain in result] == sorted(expected.values(), reverse=True)
    assert all(gain.clipped - gain.without == pytest.approx(gain.gain.mean) for gain in result)


def test_with_one_seed_the_interval_is_over_classes():
    runs = [RunDir(BUNDLED / f"hybrid-cifar10-32-{name}") for name in ("none", "clipped")]
    (gain,) = gains(runs)
    before, after = (run.metrics()["modes"]["asymmetric"]["per_class"] for run in runs)
    differences = np.array([after[name] - before[name] for name in after])
    low, high = stats.t.interval(0.95, len(differences) - 1, differences.mean(), stats.sem(differences))
    assert (gain.over, gain.gain.n) == (CLASSES, 10) and gain.gain.half == pytest.approx((high - low) / 2)


def test_seeds_of_one_setting_make_one_pair_with_their_interval(tmp_path):
    values = {0: (0.50, 0.55), 1: (0.52, 0.58), 2: (0.51, 0.55)}
    runs = []
    for seed, (before, after) in values.items():
        runs.append(put(tmp_path, f"none{seed}", before, seed=seed))
        runs.append(put(tmp_path, f"rank{seed}", after, seed=seed, rule="rank"))
    runs.append(put(tmp_path, "rank3", 0.9, seed=3, rule="rank"))  # without a rival
    (gain,) = gains(runs[::-1])
    differences = [after - before for before, after in values.values()]
    assert gain.over == SEEDS and gain.gain.n == 3 and gain.gain.mean == pytest.approx(np.mean(differences))
    assert gain.gain.half == pytest.approx(stats.sem(differences) * stats.t.ppf(0.975, 2))
    assert gain.runs == tuple((f"none{seed}", f"rank{seed}") for seed in values)


def test_other_rules_tasks_and_values_of_k_do_not_mix(tmp_path):
    runs = [put(tmp_path, "none", 0.5), put(tmp_path, "rank", 0.6, rule="rank")]
    runs += [put(tmp_path, "threshold", 0.4, rule="threshold"), put(tmp_path, "k", 0.9, rule="rank", k=11)]
    runs += [put(tmp_path, "two", 0.9, rule="rank", protocol="II"), put(tmp_path, "unlabelled", None, rule="rank")]
    assert [(gain.runs[0][1], round(gain.gain.mean, 6)) for gain in gains(runs)] == [("rank", 0.1), ("threshold", -0.1)]


def test_damaged_and_unmeasured_runs_are_skipped(tmp_path):
    assert gains([]) == []
    pair = [put(tmp_path, "none", 0.5), put(tmp_path, "rank", 0.6, rule="rank")]
    broken = [put(tmp_path, f"broken{i}", 0.7, rule="rank") for i in range(4)]
    (broken[0].path / "metrics.json").write_text("{")
    (broken[1].path / "config.json").write_text("nonsense")
    (broken[2].path / "metrics.json").unlink()
    (broken[3].path / "metrics.json").write_text('{"k": 10, "modes": {"asymmetric": {"map": "high"}}}')
    (gain,) = gains(pair + broken)
    assert gain.runs == (("none", "rank"),)


def test_without_classes_a_single_seed_has_no_interval(tmp_path):
    runs = [put(tmp_path, "none", 0.5), put(tmp_path, "rank", 0.6, rule="rank")]
    for run in runs:
        metrics = run.metrics()
        metrics["modes"]["asymmetric"].pop("per_class")
        write_json(run.path / "metrics.json", metrics)
    (gain,) = gains(runs)
    assert gain.gain.half is None and gain.gain.n == 1


def test_two_runs_of_a_pair_share_a_number_and_others_have_their_own(tmp_path):
    pair = {"rank": "rank", "none": "none", "threshold": "threshold"}
    configs = {name: put(tmp_path, name, 0.5, rule=rule).config for name, rule in pair.items()}
    configs["two"] = put(tmp_path, "two", 0.5, rule="rank", protocol="II").config
    configs["none again"] = configs["none"]
    result = looks(configs)
    assert result["rank"][0] == result["none"][0] and [dashed for _, dashed in result.values()].count(True) == 2
    assert len(set(result.values())) == len(configs)  # no two lines look alike
    assert len({number for number, _ in result.values()}) == 4
