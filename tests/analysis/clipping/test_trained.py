"""mAP of the study's variants: means over seeds with the same setting, nothing else."""

import json

import pytest

from transclipped.analysis.clipping.trained import ADAPTIVE, FOLDER, trained

SETTING = {"temperature": 0.2, "protocol": "I", "bits": 32, "backbone": "b", "epochs": 4, "batch": 256}


def study(folder, **parts):
    for part, lines in parts.items():
        text = [json.dumps({"v": 1, "part": part, "amount": 1.0, "label": "x", **SETTING, **line}) for line in lines]
        (folder / f"{part}.jsonl").write_text("\n".join(text))
    return folder


def test_means_are_over_seeds_and_none_has_the_same_setting(tmp_path):
    ideas = [{"rule": "otsu", "map": 0.4}, {"rule": "otsu", "map": 0.5}, {"rule": "mixture", "map": 0.3}]
    curve = [{"rule": "none", "map": 0.6}, {"rule": "none", "map": 0.9, "temperature": 0.5}]
    curve += [{"rule": "adaptive", "amount": 2.0, "map": 0.7}, {"rule": "adaptive", "amount": 1.5, "map": 0.1}]
    results = trained(study(tmp_path, ideas=ideas, curve=curve))
    assert results.maps == pytest.approx({"Otsu": 0.45, "Gaussian mixture": 0.3, ADAPTIVE: 0.7})
    assert (results.none, results.temperature) == (0.6, 0.2)


def test_without_results_nothing_is_claimed(tmp_path):
    assert trained(tmp_path) is None
    assert trained(study(tmp_path, ideas=[{"rule": "adaptive", "map": 0.5}])) is None
    results = trained(study(tmp_path, ideas=[{"rule": "otsu", "map": 0.5}]))
    assert results.maps == {"Otsu": 0.5} and results.none is None


def test_the_bundled_study_is_a_warning():
    results = trained()
    lines = [json.loads(line) for line in (FOLDER / "ideas.jsonl").read_text().splitlines()]
    otsu = [line["map"] for line in lines if line["rule"] == "otsu"]
    assert results.maps["Otsu"] == pytest.approx(sum(otsu) / len(otsu))
    assert max(results.maps["Otsu"], results.maps["Gaussian mixture"]) < results.none < results.maps[ADAPTIVE]
