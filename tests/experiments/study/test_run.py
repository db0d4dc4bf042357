"""The study on a few real images: resuming, choosing by validation only, and tables."""

import json

import pytest

from tests.conftest import registries_restored
from transclipped.analysis.tables import markdown, results, summary
from transclipped.cli import main
from transclipped.errors import InputError
from transclipped.experiments.study import parts as study_parts
from transclipped.experiments.study.parts import Plan, chosen
from transclipped.experiments.study.run import left, study
from transclipped.experiments.study.trial import measured
from transclipped.models.zoo import CNN

PARTS = ("curve", "rules-I", "ideas", "batch", "codes")


@pytest.fixture(scope="module")
def small():
    """A study of two rules, one seed and one epoch."""
    patch = pytest.MonkeyPatch()
    patch.setattr(study_parts, "VALIDATION", 40)
    patch.setattr(study_parts, "EPOCHS", {"I": 1})
    patch.setattr(study_parts, "CURVES", {0.2: ("none", "adaptive"), 0.5: ("none", "adaptive")})
    patch.setattr(study_parts, "TRIED", {"none": (1.0,), "adaptive": (2.0, 1.5)})
    patch.setattr(study_parts, "BATCHES", (32, 64))
    patch.setattr(study_parts, "BITS", (16,))
    patch.setattr(study_parts, "SEEDS", (0,))
    with registries_restored():  # the study registers its ideas
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


def test_study_resumes_after_an_incomplete_line(out, tmp_path):
    lines = (out / "curve.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "curve.jsonl").write_text("".join(lines[:-1]) + "\n" + lines[-1][:20] + "\n")
    for _ in study(["curve"], Plan(out=tmp_path, backbone=CNN, limit=300)):
        pass
    again = {result["key"]: result["map"] for result in results(tmp_path, "curve")}
    assert again == {result["key"]: result["map"] for result in results(out, "curve")}


def test_settings_are_chosen_by_validation_and_never_by_queries(out, tmp_path):
    curve = results(out, "curve")
    best = max((r for r in curve if r["rule"] == "adaptive"), key=lambda r: r["validation_map"])
    config = chosen(Plan(out=out, backbone=CNN, limit=300))["adaptive"]
    assert (config.clipping.sigma, config.loss.temperature) == (best["amount"], best["temperature"])
    (tmp_path / "curve.jsonl").write_text("".join(json.dumps({**r, "map": 1 - r["map"]}) + "\n" for r in curve))
    assert chosen(Plan(out=tmp_path, backbone=CNN, limit=300)) == chosen(Plan(out=out, backbone=CNN, limit=300))


def test_incomplete_curve_is_rejected(out, tmp_path):
    lines = (out / "curve.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "curve.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match="lacks 1 results"):
        chosen(Plan(out=tmp_path, backbone=CNN, limit=300))


def test_missing_curve_and_unknown_parts_are_reported(tmp_path, small):
    with pytest.raises(InputError, match="study --part curve"):
        next(study(["rules-I"], Plan(out=tmp_path, backbone=CNN)))
    with pytest.raises(InputError, match="'colour'"):
        next(study(["colour"], Plan(out=tmp_path)))


def test_finished_trials_are_not_repeated(out, tmp_path):
    for part in ("curve", "ideas"):
        (tmp_path / f"{part}.jsonl").write_text((out / f"{part}.jsonl").read_text())
    plan = Plan(out=tmp_path, backbone=CNN, limit=300)
    lines = (out / "ideas.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "ideas.jsonl").write_text("".join(lines[:7]))
    new = [trial.label for trial in left("ideas", plan)]
    assert new == ["learned quantile, q = 0.1", *(f"adaptive, soft weights, T = {width}" for width in (0.05, 0.1))]


def test_learned_threshold_is_reset_for_each_trial(out):
    learned = study_parts.PARTS["ideas"](Plan(out=out, backbone=CNN, limit=300))[7]
    result = {result["label"]: result for result in results(out, "ideas")}[learned.label]
    assert result["amount"] == learned.config.clipping.fraction and result["clip_fraction"] == 0  # too few steps
    again = [return_value(measured(learned.config)) for _ in range(2)]
    assert again[0]["map"] == again[1]["map"] == pytest.approx(result["map"], abs=1e-5)


def return_value(generator):
    """The return value of a generator."""
    try:
        while True:
            next(generator)
    except StopIteration as end:
        return end.value


def test_every_search_is_measured_where_codes_are_compared(out):
    for result in results(out, "codes"):
        assert all(0 < result[name] <= 1 for name in ("map", "symmetric", "float", "soft"))


@pytest.mark.parametrize("label", ["MoCo, clipped", "BYOL, no predictor, no slow copy", "Full-HN, clipped"])
def test_objectives_are_trained_and_measured(small, out, label, monkeypatch):
    monkeypatch.setattr(study_parts, "SHARED", 0.2)  # the small curve has no 0.3
    trials = study_parts.PARTS["objectives"](Plan(out=out, backbone=CNN, limit=300))
    trial = next(trial for trial in trials if trial.label == label)
    assert (trial.config.clipping.rule == "adaptive") == label.endswith("clipped")
    result = return_value(measured(trial.config, variant=trial.variant))
    assert 0 < result["map"] < 1 and -1 <= result["mean_cosine"] <= 1
    assert (result["clip_fraction"] > 0) == label.endswith("clipped")


def test_tables_hold_means_and_half_ranges(tmp_path):
    lines = [{"bits": 32, "label": "none", "map": value} for value in (0.5, 0.6, 0.7)]
    (tmp_path / "codes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = summary(tmp_path, "codes")
    [row] = table.to_dict("records")
    assert row == {"bits": 32, "label": "none", "seeds": 3} | {"map": pytest.approx(0.6), "spread": pytest.approx(0.1)}
    assert markdown(table).splitlines()[2] == "| 32 | none | 3 | 0.600 | 0.100 |"
    assert markdown(summary(tmp_path, "rules-I")) == "nothing measured yet"


def test_command_reports_remaining_trials_and_missing_parts(small, out, tmp_path, capsys):
    assert main(["study", "--part", "curve", "--out", str(out), "--backbone", CNN, "--limit", "300", "--json"]) == 0
    assert "curve: 0 trials" in capsys.readouterr().err
    assert main(["study", "--part", "ideas", "--out", str(tmp_path)]) == 2
    assert "study --part curve" in capsys.readouterr().err
