"""Means and intervals of seeds, against scipy; groups of runs, and tables of them."""

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.conftest import TINY
from transclipped.analysis import seeds
from transclipped.cli import main
from transclipped.errors import InputError
from transclipped.runs.run import RunDir


def copy(run, to, *, seed, rule="rank", map=None):
    """A copy of a run with another seed, rule and mAP."""
    shutil.copytree(run, to)
    record = json.loads((to / "config.json").read_text())
    record["seed"], record["clipping"]["rule"] = seed, rule
    (to / "config.json").write_text(json.dumps(record))
    if map is not None:
        metrics = json.loads((to / "metrics.json").read_text())
        metrics["modes"]["asymmetric"]["map"] = map
        (to / "metrics.json").write_text(json.dumps(metrics))
    return to


@pytest.fixture
def series(tiny_run, tmp_path):
    """Three seeds of one rule, two of another."""
    values = {0: 0.50, 1: 0.52, 2: 0.57}
    for seed, value in values.items():
        copy(tiny_run, tmp_path / f"rank-{seed}", seed=seed, map=value)
    for seed in (0, 1):
        copy(tiny_run, tmp_path / f"none-{seed}", seed=seed, rule="none", map=0.4)
    return tmp_path


def test_interval_of_three_values_by_hand():
    result = seeds.interval([0.50, 0.52, 0.57])
    assert result.mean == pytest.approx(0.53)
    # s = sqrt((0.0009 + 0.0001 + 0.0016) / 2) = 0.0360555; t(0.975, 2) = 4.302653 from a printed table
    assert result.half == pytest.approx(4.302653 * 0.0360555 / 3**0.5, rel=1e-4)
    assert str(seeds.interval([0.25])) == "0.250"
    assert seeds.interval([0.3, 0.3]).half == 0


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_half_width_is_scipys(n):
    values = np.random.default_rng(n).normal(size=n)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert seeds.half_width(values.std(ddof=1), n) == pytest.approx((high - low) / 2)
    assert math.isnan(seeds.half_width(0.0, 0)) and math.isnan(seeds.half_width(0.0, 1))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9), st.floats(-3, 3))
def test_interval_moves_with_its_values(values, shift):
    here, there = seeds.interval(values), seeds.interval([value + shift for value in values])
    assert there.mean == pytest.approx(here.mean + shift, abs=1e-9)
    assert there.half == pytest.approx(here.half, abs=1e-9)
    assert min(values) - 1e-12 <= here.mean <= max(values) + 1e-12


def test_interval_holds_the_mean_in_95_of_100():
    rng = np.random.default_rng(0)
    draws = rng.normal(0.5, 0.1, size=(4000, 4))
    result = [seeds.interval(row) for row in draws]
    inside = np.mean([abs(one.mean - 0.5) <= one.half for one in result])
    assert inside == pytest.approx(0.95, abs=0.012)


def test_runs_that_differ_only_in_the_seed_make_a_line(series):
    runs = [RunDir(series / name) for name in ("rank-2", "none-0", "rank-0", "rank-1", "none-1")]
    rank, none = seeds.lines(runs)
    assert rank.seeds == (0, 1, 2) and rank.runs == ("rank-0", "rank-1", "rank-2")
    assert none.seeds == (0, 1) and none.values["asymmetric"].mean == pytest.approx(0.4)
    assert rank.values["asymmetric"].mean == pytest.approx(0.53)
    assert "dubey2024" in rank.cites and "dubey2024" not in none.cites
    table = seeds.table([rank, none])
    assert table["clipping"].tolist() == ["rank", "none"] and table["seeds"].tolist() == [3, 2]
    assert table["mAP asymmetric"][0] == "0.530 ± 0.090"


def test_unfinished_runs_and_repeated_seeds_are_refused(series, capsys, tiny_run):
    (series / "rank-1" / "metrics.json").unlink()
    with pytest.raises(InputError, match="rank-1"):
        seeds.lines([RunDir(series / "rank-0"), RunDir(series / "rank-1")])
    assert main(["summary", str(series / "rank-1")]) == 2
    assert main(["summary", str(series / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err
    copy(tiny_run, series / "again", seed=0, map=0.5)
    with pytest.raises(InputError, match="same seed"):
        seeds.lines([RunDir(series / "rank-0"), RunDir(series / "again")])


def test_summary_writes_every_format(series, tmp_path, capsys):
    out = tmp_path / "table of results"
    assert main(["summary", str(series), "--out", str(out), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    names = "commands.txt references.bib table.csv table.md table.tex"
    assert sorted(path.name for path in out.iterdir()) == names.split()
    assert sorted(pd.read_csv(out / "table.csv")["map_asymmetric"].round(6)) == [0.4, 0.53]
    tex = (out / "table.tex").read_text()
    assert tex.count(r"\\") == 3 and r"$\pm$" in tex and tex.count("{") == tex.count("}")
    assert len((out / "commands.txt").read_text().splitlines()) == 5
    assert (out / "table.md").read_text().count("\n") == 4


def test_latex_escapes_special_characters():
    table = pd.DataFrame([{"a_b": "50 % & more", "c": None, "d": "x\\y"}])
    tex = seeds.latex(table)
    assert r"a\_b & c & d \\" in tex and r"50 \% \& more &  & x\textbackslash y \\" in tex


def test_seeds_train_one_run_each_and_resume(tmp_path, capsys):
    flags = [*map(str, ["train", *TINY, "--seeds", 3, 4, "--run", tmp_path / "s", "--json"])]
    assert main(flags) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary[0]["seeds"] == "3 4" and summary[0]["map_asymmetric_half_95"] >= 0
    assert RunDir(tmp_path / "s-seed4").config.seed == 4
    codes = [RunDir(tmp_path / f"s-seed{n}").retrieval().codes for n in (3, 4)]
    assert (codes[0] != codes[1]).any()
    stamp = RunDir(tmp_path / "s-seed3").fingerprint
    shutil.rmtree(tmp_path / "s-seed4")
    assert main([*flags, "--resume"]) == 0
    assert RunDir(tmp_path / "s-seed3").fingerprint == stamp and RunDir(tmp_path / "s-seed4").metrics()
    capsys.readouterr()
    for wrong in (["--seeds", "1", "1"], ["--seeds", "1", "--seed", "2"], ["--seeds", "-1"]):
        assert main(["train", *TINY, *wrong, "--run", str(tmp_path / "w")]) == 2
    assert main(["train", *TINY, "--seeds", "1"]) == 2
