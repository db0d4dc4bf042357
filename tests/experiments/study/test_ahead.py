"""What is told of a part of the study before it begins."""

import json
from dataclasses import replace

import pytest

from transclipped.cli import main
from transclipped.cli import study as commands_study
from transclipped.experiments.study import ahead as study_ahead
from transclipped.experiments.study import parts as study_parts
from transclipped.experiments.study.ahead import Ahead, ahead
from transclipped.experiments.study.parts import Plan, Trial
from transclipped.experiments.study.run import left
from transclipped.models.zoo import CNN
from transclipped.training.estimate import Estimate, Work

pytestmark = pytest.mark.usefixtures("own_registries")


@pytest.fixture
def plan(tmp_path, own_cache):
    return Plan(out=tmp_path, backbone=CNN, limit=300)


def test_encoding_counts_once_and_trials_each(plan, monkeypatch):
    asked = []

    def estimated(config):
        asked.append(config)
        pictures = 1000 if config.clipping.rule == "rank" else 400
        return Estimate(Work(pictures, 0, 0), 10.0, encoding=pictures / 10, training=2.0, measuring=1.0)

    monkeypatch.setattr(study_ahead, "_estimated", estimated)
    trials = left("curve", plan)
    assert ahead("curve", plan) == Ahead(len(trials), 1000, 40 + 3, 100 + 3 * len(trials))
    two = [Trial("curve", "a", replace(trials[0].config, seed=seed)) for seed in (0, 1)]
    monkeypatch.setitem(study_parts.PARTS, "curve", lambda plan: two)
    asked.clear()
    assert ahead("curve", plan).trials == 2 and len(asked) == 1  # seeds take equally long


def test_each_backbone_is_encoded(plan, monkeypatch):
    trial = left("curve", plan)[0]
    other = replace(trial.config, backbone=replace(trial.config.backbone, name="another"))
    monkeypatch.setitem(study_parts.PARTS, "curve", lambda plan: [trial, Trial("curve", "b", other)])
    told = Estimate(Work(400, 0, 0), 10.0, encoding=40.0, training=2.0, measuring=1.0)
    monkeypatch.setattr(study_ahead, "_estimated", lambda config: told)
    assert ahead("curve", plan) == Ahead(2, 800, 43, 86)


def test_pictures_that_the_cache_lacks_are_counted(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "empty"))  # other tests fill the common one
    monkeypatch.setattr(study_parts, "VALIDATION", 40)
    monkeypatch.setattr(study_parts, "CURVES", {0.2: ("none",)})
    found = ahead("curve", plan)
    views = study_parts.RunConfig().schedule.views
    assert found.trials == 1 and found.pictures == (300 + 300) + 260 * (views - 1)  # (queries and database) and views
    assert 0 < found.first == found.seconds


def test_the_command_tells_a_finished_part_from_one_that_is_to_come(plan, capsys, monkeypatch):
    one = left("curve", plan)[0]
    monkeypatch.setitem(study_parts.PARTS, "curve", lambda plan: [one])
    (plan.out / "curve.jsonl").write_text(json.dumps({"key": one.key, **dict.fromkeys(("rule", "amount"), 0)}) + "\n")
    assert commands_study._told(ahead("curve", plan)) == "nothing is left to do"
    told = commands_study._told(Ahead(41, 195_000, 1290.0, 4500.0))
    assert told == "41 trials, about 75 min, the first after 22 min; 195,000 pictures are encoded for them"
    assert main(["study", "--part", "ideas", "--out", str(plan.out), "--device", "cpu"]) == 2
    assert "study --part curve" in capsys.readouterr().err
