"""Settings beside each other: what differs is named, and the stored values are those of files and runs."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped.analysis import baselines
from transclipped.analysis.baselines import WORDS, Setting, of_headline, of_run, of_study, sentence
from transclipped.analysis.gains import gains, start
from transclipped.analysis.headline import RUNS, headline
from transclipped.features import labset
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS

PAIR = Setting("0.629 above", "b", temperature=0.5)
OTHERS = {
    "data": "caltech101 default",
    "backbone": "another-one",
    "bits": 64,
    "searched": 5000,
    "k": 500,
    "temperature": 0.2,
}


@given(st.sets(st.sampled_from(sorted(OTHERS)), min_size=1))
def test_exactly_what_differs_is_named(names):
    other = replace(PAIR, value="0.42 below", **{name: OTHERS[name] for name in names})
    text = sentence("mAP", [PAIR, None, other])
    for name in OTHERS:
        assert (f"{WORDS[name].format(OTHERS[name])}" in text) == (name in names)
    assert text.index("0.629 above") < text.index("0.42 below")


@pytest.mark.parametrize("settings", [[], [None], [PAIR], [PAIR, None], [PAIR, PAIR]])
def test_nothing_is_said_of_fewer_than_two_settings(settings):
    assert sentence("mAP", settings) == ""


def test_a_setting_that_one_of_them_leaves_open_is_not_compared():
    assert "τ" not in sentence("mAP", [PAIR, replace(PAIR, temperature=None, k=500)])


def test_the_constants_are_those_of_the_stored_runs_and_of_the_lab_set():
    run, lab = RunDir(ASSETS / "runs" / RUNS[0]), labset.load()
    stored = of_run(run, run.metrics(), run.metrics()["modes"]["asymmetric"]["map"])
    pair = of_headline(headline())
    assert replace(pair, value="", temperature=None) == replace(stored, value="")
    assert pair.temperature == run.config.loss.temperature
    assert (lab.about["backbone"], len(lab)) == (baselines.LAB_BACKBONE, baselines.LAB_SEARCHED)


def test_the_studys_value_is_that_of_its_temperature(tmp_path):
    line = {"rule": "none", "amount": 1.0, "backbone": "b", "map": 0.5, "temperature": 0.2}
    (tmp_path / "curve.jsonl").write_text("\n".join(json.dumps(line | {"map": value}) for value in (0.5, 0.6)))
    found = of_study(0.2, tmp_path)
    assert (found.value, found.backbone, found.temperature) == ("0.550 in the study", "b", 0.2)
    assert of_study(0.3, tmp_path) is None and of_study(0.2, tmp_path / "missing") is None


def test_measured_pairs_of_the_headlines_data_differ_in_backbone_only():
    folder = ASSETS / "runs"
    names = [f"{data}-32-{rule}" for data in ("hybrid-cifar10", "cnn-caltech101") for rule in ("none", "clipped")]
    pairs = gains([RunDir(folder / name) for name in names])
    starts = {pair.dataset: start(pair) for pair in pairs}
    assert set(starts) == {"cifar10", "caltech101"} and starts["caltech101"] is None
    pair = of_headline(headline())
    same = replace(starts["cifar10"], searched=pair.searched, temperature=pair.temperature)
    assert same == replace(pair, value="0.700 of hybrid-cifar10-32-none", backbone="hybrid-vit")


def test_overview_need_not_load_pandas_for_it():
    program = "import sys, transclipped.analysis.baselines; print('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
