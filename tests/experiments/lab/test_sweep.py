"""Sweeps: comparable trainings, stopping and resuming, and the inverted U on the bundled lab set."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.small_lab import small_lab
from transclipped.cli import main
from transclipped.clipping import swept
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.experiments.lab import curves, sweep
from transclipped.experiments.lab.sweep import Stopped, Sweep, result_of, results, run_sweep, status
from transclipped.features import labset
from transclipped.utils.files import ASSETS


@pytest.fixture(scope="module")
def lab():
    return small_lab()


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Two epochs, enough for most tests."""
    monkeypatch.setattr(labset, "EPOCHS", 2)


def setting(lab, **clipping):
    return labset.lab_config(lab, clipping=ClippingConfig(**clipping), temperature=0.3)


def test_settings_start_without_clipping_and_end_with_adaptive():
    rules = [(c.rule, sweep.amount_of(c)) for c in Sweep(amounts=(0.6, 0.4)).settings()]
    assert rules == [("none", None), ("threshold", 0.6), ("threshold", 0.4), ("adaptive", 2.0)]
    assert [c.rule for c in Sweep(rule="adaptive", amounts=(2.0, 1.0)).settings()] == ["none", "adaptive", "adaptive"]


def test_key_depends_on_all_settings():
    keys = {Sweep().key, Sweep(seed=1).key, Sweep(temperature=0.2).key, Sweep(treatment="clamp").key}
    assert len(keys | {Sweep(rule="rank", amounts=(0.1,)).key, Sweep(amounts=(0.5,)).key}) == 6
    assert Sweep().key == Sweep().key


@pytest.mark.parametrize("wrong", [{"rule": "none"}, {"amounts": (2.0,)}, {"temperature": 0.0}, {"treatment": "x"}])
def test_invalid_sweeps_are_rejected(wrong):
    with pytest.raises(InputError):
        Sweep(**wrong)


def test_the_same_setting_gives_the_same_result(lab):
    first, second = (result_of(lab, setting(lab, rule="threshold", threshold=0.4)) for _ in range(2))
    assert {k: v for k, v in first.items() if k != "seconds"} == {k: v for k, v in second.items() if k != "seconds"}
    assert 0 < first["map"] <= 1 and first["clip_fraction"] > 0
    assert first["command"].startswith("python -m transclipped train --protocol I")


def test_threshold_of_one_gives_the_result_of_none(lab):
    none, high = (result_of(lab, setting(lab, rule=rule, threshold=1.0)) for rule in ("none", "threshold"))
    assert none["map"] == high["map"]
    assert (none["clip_fraction"], none["clip_precision"], none["delta"]) == (0, None, None)


def test_delta_is_the_mean_level_of_clipping(lab):
    assert -1 < result_of(lab, setting(lab, rule="adaptive", sigma=1.0))["delta"] < 1
    assert result_of(lab, setting(lab, rule="threshold", threshold=0.25))["delta"] == pytest.approx(0.25, abs=1e-4)


def test_results_are_written_at_once_and_a_stopped_sweep_resumes(lab, tmp_path):
    plan = Sweep(amounts=(0.5, 0.3))

    def stop_after_two(result):
        if len(results(tmp_path)) == 2:
            (tmp_path / sweep.STOP).touch()

    with pytest.raises(Stopped):
        run_sweep(lab, plan, tmp_path, tell=stop_after_two)
    assert len(results(tmp_path)) == 2 and status(tmp_path)["state"] == "stopped"
    assert not (tmp_path / sweep.STOP).exists()
    new = []
    run_sweep(lab, plan, tmp_path, tell=new.append)
    assert [r["rule"] for r in new] == ["threshold", "adaptive"]
    expected = [("none", None), ("threshold", 0.5), ("threshold", 0.3), ("adaptive", 2.0)]
    assert [(r["rule"], r["amount"]) for r in results(tmp_path)] == expected
    assert status(tmp_path) | {"state": "finished", "done": 4, "total": 4} == status(tmp_path)


def test_heads_of_a_sweep_differ_in_clipping_only(lab):
    settings = Sweep(temperature=0.2, seed=3).settings()
    configs = [labset.lab_config(lab, clipping=c, temperature=0.2, seed=3) for c in settings]
    assert len({(c.seed, c.loss, c.schedule, c.quantizer, c.data, c.k) for c in configs}) == 1


def test_incomplete_lines_are_skipped_and_old_status_is_interrupted(tmp_path):
    (tmp_path / sweep.RESULTS).write_text('{"rule": "none", "amount": null, "map": 0.5}\n{"rule": "thre')
    assert [r["map"] for r in results(tmp_path)] == [0.5] and status(tmp_path) is None
    (tmp_path / sweep.STATE).write_text(json.dumps({"state": "running", "t": time.time() - 3600}))
    assert status(tmp_path)["state"] == "interrupted"
    (tmp_path / sweep.STATE).write_text("[]")
    assert status(tmp_path) is None


def test_the_command_sweeps(lab, tmp_path, capsys):
    labset.save(tmp_path / "lab", lab)
    words = ["lab", "sweep", "--lab", str(tmp_path / "lab"), "--out", str(tmp_path / "out")]
    assert main([*words, "--amounts", "0.5", "--json"]) == 0
    assert [r["rule"] for r in json.loads(capsys.readouterr().out)] == ["none", "threshold", "adaptive"]
    assert main([*words, "--amounts", "half"]) == 2


def test_curves_are_computed_and_resumed(lab, tmp_path, monkeypatch):
    tried = {"threshold": (0.5, 0.4), "rank": (0.1,), "adaptive": (2.0,)}
    few = {rule: replace(amount, tried=tried[rule]) for rule, amount in swept().items()}
    monkeypatch.setattr(curves, "swept", lambda: few)
    monkeypatch.setattr(curves, "FURTHER", {})
    curves.compute(lab, tmp_path, (0.3,), minutes=0)
    assert not (tmp_path / curves.FILE).exists()
    curves.compute(lab, tmp_path, (0.3,))
    assert len(curves.load(tmp_path)) == 5
    new = []
    curves.compute(lab, tmp_path, (0.2, 0.3), tell=new.append)
    assert len(new) == 5 and {r["temperature"] for r in new} == {0.2}
    (tmp_path / curves.FILE).write_text("{}")
    with pytest.raises(InputError, match="no curves"):
        curves.load(tmp_path)


def result(rule, amount, temperature, value):
    return {"rule": rule, "amount": amount, "temperature": temperature, "map": value, "k": 500}


def test_a_reached_map_lies_between_those_of_trained_heads():
    results = [result("none", None, tau, tau) for tau in (0.2, 0.5)]
    results += [result("threshold", 0.4, 0.2, 0.8), result("threshold", 0.6, 0.2, 0.6), result("rank", 0.1, 0.5, 0.7)]
    curve = curves.reached(results, "threshold", 0.45)  # 0.5 is closer, but no threshold was trained there
    assert (curve.temperature, curve.none, curve.k) == (0.2, 0.2, 500)
    assert curve.at(0.5) == pytest.approx(0.7) and curve.at(0.4) == 0.8
    assert curve.at(1.0) == 0.2 and curve.at(0.8) == pytest.approx(0.4)  # δ = 1 clips nothing
    assert np.isnan(curve.at(0.39))
    rank = curves.reached(results, "rank", 0.1)
    assert rank.temperature == 0.5 and rank.at(0.0) == 0.5 and rank.at(0.05) == pytest.approx(0.6)
    assert curves.reached(results, "adaptive", 0.2) is None and curves.reached([], "rank", 0.2) is None


def test_precomputed_curves_span_the_whole_slider():
    for rule, amount in swept().items():
        for temperature in (0.2, 0.3, 0.5):
            curve = curves.reached(curves.load(), rule, temperature)
            maps = curve.at(np.linspace(*amount.dial, 101))
            assert np.isfinite(maps).all() and maps[-1 if amount.rising else 0] < curve.none < maps.max()


def test_precomputed_curves_rise_and_fall_at_every_temperature():
    for temperature in (0.2, 0.3, 0.5):
        here = [r for r in curves.load() if r["temperature"] == temperature]
        base = next(r["map"] for r in here if r["rule"] == "none")
        curve = [r["map"] for r in sorted((r for r in here if r["rule"] == "threshold"), key=lambda r: -r["amount"])]
        best = int(np.argmax(curve))
        assert curve[best] > base + 0.05 and curve[-1] < curve[best] - 0.05
        assert 0 < best < len(curve) - 1
        adaptive = next(r["map"] for r in here if r["rule"] == "adaptive" and r["amount"] == sweep.MARKED.sigma)
        assert adaptive > base + 0.05


@pytest.mark.slow
def test_clipping_helps_on_the_bundled_lab_set(monkeypatch):
    """A training with a quarter of the usual steps."""
    monkeypatch.setattr(labset, "EPOCHS", 8)
    lab = labset.load()
    none, adaptive = (result_of(lab, setting(lab, rule=rule)) for rule in ("none", "adaptive"))
    assert adaptive["map"] > none["map"] + 0.03


def test_sweep_does_not_import_timm():
    program = "import sys, transclipped.experiments.lab.sweep; assert 'timm' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ASSETS.parent)


def test_time_left_follows_the_last_head_and_then_the_current_one():
    note = {"total": 4, "done": 0, "t": 100.0, "since": 99.0, "step": 1, "steps": 100}
    assert sweep.seconds_left(note, []) is None  # 1 % is too little
    assert sweep.seconds_left(note, [], usual=5.0) == pytest.approx(5 * 3.99)
    assert sweep.seconds_left(note | {"done": 1}, [{"seconds": 8.0}]) == pytest.approx(8 * 2.99)
    half = note | {"done": 1, "since": 90.0, "step": 50}  # 10 s for half a head: the machine is busier now
    assert sweep.seconds_left(half, [{"seconds": 8.0}]) == pytest.approx(20 * 2.5)
    assert sweep.seconds_left({"total": 4, "done": 0}, []) is None
