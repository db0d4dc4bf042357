"""The headline against pandas on the same results, and ugly folders."""

import json
from math import isclose

import pandas as pd
import pytest

from transclipped.analysis import headline as module
from transclipped.analysis.benchmarks import without_clipping
from transclipped.analysis.headline import RUNS, headline, inverted_u
from transclipped.flags import settings
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS


def frame(part: str) -> pd.DataFrame:
    return pd.read_json(ASSETS / "study" / f"{part}.jsonl", lines=True)


def test_the_pair_is_the_mean_over_seeds_of_the_rule_that_validation_prefers():
    curve, rules = frame("curve"), frame("rules-I")
    rule = curve.loc[curve["validation_map"].idxmax(), "rule"]
    means = rules[rules["bits"] == 32].groupby("label")["map"].mean()
    result = headline()
    assert isclose(result.without, means["none"]) and isclose(result.clipped, means[rule])
    assert isclose(result.gain, means[rule] - means["none"])
    assert isclose(sum(result.gains) / len(result.gains), result.gain) and min(result.gains) > 0
    assert f"{means['none']:.3f}" in result.sentence and f"{means[rule]:.3f}" in result.sentence


def test_the_bundled_pair_differs_in_clipping_and_temperature_only():
    without, clipped = (RunDir(ASSETS / "runs" / name) for name in RUNS)
    ours, theirs = settings(without.config), settings(clipped.config)
    differing = {path for path in ours if ours[path] != theirs[path]}
    assert differing == {"clipping.rule", "clipping.fraction", "loss.temperature"}
    assert without_clipping(clipped, [without]) is without
    maps = [run.metrics()["modes"]["asymmetric"]["map"] for run in (without, clipped)]
    result = headline()
    assert maps == pytest.approx([result.without, result.clipped], abs=0.005)  # one of the seeds, retrained
    for run, setting in zip((without, clipped), result.settings, strict=True):
        assert setting.startswith(run.config.clipping.rule)
        assert setting.endswith(f"τ = {run.config.loss.temperature:g}")
        assert run.config.backbone.name == result.backbone


def result(part: str, **values) -> str:
    common = {"rule": "rank", "label": "rank", "amount": 0.1, "temperature": 0.2, "backbone": "b", "map": 0.5}
    return json.dumps(common | {"bits": 32, "seed": 0} | ({"validation_map": 0.4} if part == "curve" else {}) | values)


def write(folder, **parts: list[str]):
    for part, lines in parts.items():
        (folder / f"{part.replace('_', '-')}.jsonl").write_text("\n".join(lines))
    return folder


def test_only_seeds_of_both_are_compared(tmp_path):
    none = {"label": "none", "rule": "none", "amount": 1.0, "temperature": 0.5}
    rules = [result("r", seed=0, map=0.6), result("r", seed=1, map=0.9), result("r", **none, seed=0, map=0.5)]
    rules += [result("r", **none, seed=2, map=0.1), result("r", **none, seed=0, bits=16, map=0.0)]
    pair = headline(write(tmp_path, curve=[result("curve")], rules_I=rules))
    assert (pair.without, pair.clipped, len(pair.gains)) == (0.5, 0.6, 1)
    assert pair.settings == ("none, τ = 0.5", "rank q = 0.1, τ = 0.2")


@pytest.mark.parametrize("curve", [[], ["nonsense", "[1]", "{}"], [result("curve")]])
def test_missing_or_damaged_results_give_no_pair(tmp_path, curve):
    assert headline(tmp_path / "missing") is None
    assert headline(write(tmp_path, curve=curve, rules_I=["{}", "[]", result("r")])) is None


def test_the_inverted_u_is_that_of_the_live_sweep():
    lines = [line for line in json.loads(module.CURVES.read_text()) if line["temperature"] == 0.3]
    curve = inverted_u()
    swept = {line["amount"]: line["map"] for line in lines if line["rule"] == "threshold"}
    assert dict(zip(curve.amounts, curve.values, strict=True)) == swept
    assert list(curve.amounts) == sorted(curve.amounts)  # more clipping is left
    assert [curve.without] == [line["map"] for line in lines if line["rule"] == "none"]
    assert max(curve.values) > curve.without > min(curve.values)


@pytest.mark.parametrize("text", ["", "{}", "[]", '[{"rule": "none", "temperature": 0.3, "map": 0.4, "k": 5}]'])
def test_without_curves_there_is_no_inverted_u(tmp_path, text):
    assert inverted_u(tmp_path / "missing.json") is None
    (tmp_path / "curves.json").write_text(text)
    assert inverted_u(tmp_path / "curves.json") is None
