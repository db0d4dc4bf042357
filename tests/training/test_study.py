"""The study on a few real pictures: resumable, choosing by validation alone, and its tables."""

import json

import numpy as np
import pytest

from transclipped.analysis.tables import markdown, results, summary
from transclipped.clipping import negatives
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.models.backbone import CNN
from transclipped.training import study as studies
from transclipped.training.study import Plan, chosen, study

PARTS = ("curve", "rules-I", "ideas", "batch", "codes")


@pytest.fixture(scope="module")
def small():
    """A study of two rules, one seed and one epoch."""
    patch = pytest.MonkeyPatch()
    patch.setattr(studies, "VALIDATION", 40)
    patch.setattr(studies, "EPOCHS", {"I": 1})
    patch.setattr(studies, "CURVES", {0.2: ("none", "adaptive"), 0.5: ("none", "adaptive")})
    patch.setattr(studies, "AMOUNTS", {"none": ("threshold", (1.0,)), "adaptive": ("sigma", (2.0, 1.5))})
    patch.setattr(studies, "BATCHES", (32, 64))
    patch.setattr(studies, "BITS", (16,))
    patch.setattr(studies, "SEEDS", (0,))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def out(small, own_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for _ in study(list(PARTS), Plan(out=folder, backbone=CNN, limit=300)):
        pass
    return folder


def test_a_finished_study_has_nothing_left_to_do(out):
    before = {part: (out / f"{part}.jsonl").read_text() for part in PARTS}
    assert len(results(out, "curve")) == 2 * 3 and len(results(out, "rules-I")) == 3 * 3
    for _ in study(list(PARTS), Plan(out=out, backbone=CNN, limit=300)):
        pass
    assert before == {part: (out / f"{part}.jsonl").read_text() for part in PARTS}


def test_it_goes_on_after_a_torn_line(out, tmp_path):
    lines = (out / "curve.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "curve.jsonl").write_text("".join(lines[:-1]) + "\n" + lines[-1][:20] + "\n")
    for _ in study(["curve"], Plan(out=tmp_path, backbone=CNN, limit=300)):
        pass
    again = {result["key"]: result["map"] for result in results(tmp_path, "curve")}
    assert again == {result["key"]: result["map"] for result in results(out, "curve")}


def test_settings_are_chosen_by_validation_and_never_by_queries(out, tmp_path):
    found = results(out, "curve")
    best = max((r for r in found if r["rule"] == "adaptive"), key=lambda r: r["validation_map"])
    config = chosen(Plan(out=out, backbone=CNN, limit=300))["adaptive"]
    assert (config.clipping.sigma, config.loss.temperature) == (best["amount"], best["temperature"])
    swapped = [{**r, "map": 1 - r["map"]} for r in found]
    (tmp_path / "curve.jsonl").write_text("".join(json.dumps(r) + "\n" for r in swapped))
    assert chosen(Plan(out=tmp_path, backbone=CNN, limit=300)) == chosen(Plan(out=out, backbone=CNN, limit=300))


def test_half_a_curve_chooses_nothing(out, tmp_path):
    lines = (out / "curve.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "curve.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match="lacks 1 results"):
        chosen(Plan(out=tmp_path, backbone=CNN, limit=300))


def test_parts_that_need_a_choice_ask_for_it(tmp_path, small):
    with pytest.raises(InputError, match="study --part curve"):
        next(study(["rules-I"], Plan(out=tmp_path, backbone=CNN)))
    with pytest.raises(InputError, match="there is no part 'colour'"):
        next(study(["colour"], Plan(out=tmp_path)))


def test_every_search_is_measured_where_codes_are_compared(out):
    for result in results(out, "codes"):
        assert all(0 < result[name] <= 1 for name in ("map", "symmetric", "float", "soft"))


def test_tables_hold_means_and_half_ranges(tmp_path):
    lines = [{"bits": 32, "label": "none", "map": value} for value in (0.5, 0.6, 0.7)]
    (tmp_path / "codes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = summary(tmp_path, "codes")
    assert table.to_dict("records") == [
        {"bits": 32, "label": "none", "seeds": 3, "map": pytest.approx(0.6), "spread": pytest.approx(0.1)}
    ]
    assert markdown(table).splitlines()[2] == "| 32 | none | 3 | 0.600 | 0.100 |"
    assert markdown(summary(tmp_path, "rules-I")) == "nothing measured yet"


@pytest.mark.parametrize("rule", [studies._mixture, studies._otsu])
def test_a_threshold_of_the_whole_batch_parts_two_clear_humps(rule):
    import torch

    rng = np.random.default_rng(0)
    n = 64
    low, high = rng.normal(0.1, 0.05, (n, n)), rng.normal(0.8, 0.05, (n, n))
    same = rng.random((n, n)) < 0.1
    similarity = torch.tensor(np.where(same, high, low).clip(-1, 1), dtype=torch.float32)
    picked, level = rule(similarity, negatives(n), ClippingConfig())
    assert 0.2 < level < 0.7
    assert (picked.numpy() == same).mean() > 0.999
