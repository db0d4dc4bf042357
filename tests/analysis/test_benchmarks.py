"""Tables of runs, references and the study against hand-made runs; exports are read back by other libraries."""

import csv
import io
import json
import math
import statistics

import numpy as np
import plotly.graph_objects as go
import pytest

from transclipped.analysis import benchmarks, benchmarks_study, report, tables
from transclipped.config import ClippingConfig, DataConfig, LossConfig, QuantizerConfig, RunConfig
from transclipped.errors import InputError
from transclipped.runs.run import RunDir, write_config

RANKS = [1, 10, 100, 1000]


def make_run(
    folder, name, *, rule="none", objective="simclr", bits=32, map_=0.5, classes=("cat", "dog"), **data
) -> RunDir:
    """A measured run of two classes, without any weights."""
    path = folder / name
    path.mkdir()
    clipping = ClippingConfig(rule=rule)
    loss, quantizer = LossConfig(objective=objective), QuantizerConfig(bits=bits)
    write_config(path, RunConfig(data=DataConfig(**data), quantizer=quantizer, clipping=clipping, loss=loss))
    mode = {
        "map": map_,
        "map_tie_aware": map_ + 0.001,
        "precision": {"k": RANKS, "value": [0.9, 0.8, 0.7, 0.6]},
        "recall": {"k": RANKS, "value": [0.1, 0.2, 0.3, 0.4]},
        "precision_recall": {"recall": [0, 1], "precision": [0.9, 0.1], "bins": 4096},
        "per_class": {name: map_ for name in classes},
    }
    metrics = {"k": 1000, "n_queries": 10, "n_database": 5000, "label_kind": "single", "bytes_per_item": bits // 8}
    metrics |= {"modes": {"asymmetric": mode}, "seconds": {"training": 12.0, "encoding": 1.25, "measuring": 0.5}}
    (path / "metrics.json").write_text(json.dumps(metrics))
    return RunDir(path)


def test_runs_of_different_objectives_are_no_pair_and_those_without_negatives_clip_nothing(tmp_path):
    none, clipped = make_run(tmp_path, "none"), make_run(tmp_path, "clipped", rule="rank")
    moco = make_run(tmp_path, "moco", rule="rank", objective="moco")
    barlow = make_run(tmp_path, "barlow", rule="rank", objective="barlow")
    every = [none, clipped, moco, barlow]
    assert [benchmarks.clips(run.config) for run in every] == [False, True, True, False]
    assert [benchmarks.without_clipping(run, every) for run in every[1:]] == [none, None, None]
    words = [benchmarks.row(run).clipping for run in every]
    assert words[1] == "rank q = 0.05" and words[2] == f"moco, {words[1]}" and words[3] == "barlow"


def test_a_row_holds_settings_and_measurements(tmp_path):
    line = benchmarks.row(make_run(tmp_path, "a", rule="adaptive", bits=64, map_=0.625, train_limit=2000))
    assert (line.map, line.map_tie_aware, line.precision, line.recall) == (0.625, 0.626, 0.7, 0.4)
    assert (line.bits, line.bytes, line.k, line.database) == (64, 8, 1000, 5000)
    assert (line.training_s, line.measuring_s) == (12.0, 1.75)
    assert (line.clipping, line.protocol, line.whole) == ("adaptive c = 2", "I", False)


def test_an_unmeasured_search_has_empty_cells(tmp_path):
    line = benchmarks.row(make_run(tmp_path, "a"), search="float")
    assert (line.map, line.precision, line.recall, line.database) == (None, None, None, 5000)


def test_unmeasured_runs_are_skipped_and_damaged_ones_reported(tmp_path):
    good, bad, half, odd = (make_run(tmp_path, name) for name in ("good", "bad", "half", "odd"))
    (bad.path / "metrics.json").write_bytes(b"\x00")
    (half.path / "metrics.json").unlink()
    (odd.path / "metrics.json").write_text("[]")
    lines, problems = benchmarks.rows([bad, good, half, odd])
    assert [line.run for line in lines] == ["good"]
    assert sorted(problems) == ["bad", "odd"]
    assert all("metrics.json" in problem for problem in problems.values())
    run = make_run(tmp_path, "a")
    (run.path / "metrics.json").write_text('{"modes": 3}')
    with pytest.raises(InputError, match="evaluate"):
        benchmarks.row(run)


def test_rows_are_sorted_by_task_whole_sets_first(tmp_path):
    runs = [
        make_run(tmp_path, "b", bits=64, protocol="II"),
        make_run(tmp_path, "a", bits=32, protocol="II"),
        make_run(tmp_path, "part", bits=16, protocol="I", database_limit=9),
        make_run(tmp_path, "d", bits=64, protocol="I"),
    ]
    assert [line.run for line in benchmarks.rows(runs)[0]] == ["d", "part", "a", "b"]


def test_classes_that_a_run_lacks_are_nan(tmp_path):
    metrics = {
        "a": make_run(tmp_path, "a", map_=0.25).metrics(),
        "b": make_run(tmp_path, "b", classes=("dog", "fox"), map_=0.75).metrics(),
        "none": {"modes": {}},
    }
    runs, classes, cells = benchmarks.per_class(metrics, search="asymmetric")
    assert (runs, classes) == (["a", "b"], ["cat", "dog", "fox"])
    assert np.array_equal(cells, [[0.25, 0.25, np.nan], [np.nan, 0.75, 0.75]], equal_nan=True)


def test_the_run_without_clipping_differs_only_in_clipping_and_loss(tmp_path):
    clipped = make_run(tmp_path, "clipped", rule="adaptive")
    others = [make_run(tmp_path, "long", bits=64), make_run(tmp_path, "rank", rule="rank"), make_run(tmp_path, "none")]
    assert benchmarks.without_clipping(clipped, [*others, clipped]).name == "none"
    assert benchmarks.without_clipping(others[-1], others) is None
    assert benchmarks.without_clipping(clipped, others[:2]) is None


def test_alike_are_runs_on_the_same_data_first_the_one_without_clipping(tmp_path):
    clipped = make_run(tmp_path, "clipped", rule="adaptive")
    others = [
        make_run(tmp_path, "elsewhere", dataset="caltech101"),
        make_run(tmp_path, "protocol", protocol="II"),
        make_run(tmp_path, "longer", bits=64),
        make_run(tmp_path, "rank", rule="rank"),
        make_run(tmp_path, "none"),
    ]
    (tmp_path / "broken").mkdir()
    result = benchmarks.alike(clipped, [clipped, RunDir(tmp_path / "broken"), *others])
    assert [run.name for run in result] == ["none", "rank", "longer"]
    assert benchmarks.alike(others[0], [clipped, *others]) == []


def test_references_are_mecoqs_and_name_their_source():
    table = benchmarks.published()
    assert table["protocol"] == ["I", "II"]
    expected = [[0.6882, 0.6283], [0.7024, 0.6409], [0.7024, 0.6507]]
    assert [table[f"mAP, {bits} bits"] for bits in (16, 32, 64)] == expected
    assert all("AAAI22-MeCoQ" in each.source for each in benchmarks.REFERENCES)
    assert "JPEG" in benchmarks.DIFFERENCES and "60,000" in benchmarks.DIFFERENCES


def test_csv_and_markdown_hold_the_table(tmp_path):
    lines, _ = benchmarks.rows([make_run(tmp_path, "a|b", map_=0.123456), make_run(tmp_path, "c")])
    table = benchmarks.table(lines)
    read = list(csv.DictReader(io.StringIO(report.csv(table).decode("utf-8-sig"))))
    assert [line["run"] for line in read] == ["a|b", "c"]
    assert float(read[0]["map"]) == 0.123456
    head, rule, first, second = tables.markdown(table, number=".4g").splitlines()
    assert head.count("|") == rule.count("|") == second.count("|") == first.replace("\\|", "").count("|")
    assert "0.1235" in first
    odd = tables.markdown({"a": [None, True, float("nan")], "b": [3, np.float32(0.25), "x"]}).splitlines()
    assert odd[2:] == ["|  | 3 |", "| yes | 0.250 |", "|  | x |"]


def test_the_report_holds_plotly_once_loads_nothing_and_escapes_names():
    evil = "</script><script>alert(1)</script>"
    figures = [go.Figure(go.Scatter(x=[1, 2], y=[3, 4], name=evil)) for _ in range(2)]
    text = report.html("Title & more", [report.Text(evil), report.Table({"run": [evil], "mAP": [0.5]}), *figures])
    assert text.count("plotly.js v") == 1
    assert text.count("Plotly.newPlot") >= 2
    assert "<script>alert(1)" not in text
    head = text.split("<script>", 1)[0]
    assert "src=" not in head and "Title &amp; more" in head
    assert '<script src="http' not in text and "<link" not in text.replace("<link>", "")


@pytest.fixture
def folder(tmp_path):
    """A study: a curve with flat and nested settings, rules with three seeds, and a torn line."""
    curve = [
        {"part": "curve", "label": "none", "rule": "none", "amount": 1.0, "temperature": 0.3, "seed": 0, "map": 0.4},
        *(
            {"part": "curve", "rule": "threshold", "setting": {"amount": a, "temperature": 0.3}, "seed": 0, "map": m}
            for a, m in ((0.3, 0.35), (0.7, 0.45), (0.5, 0.55))
        ),
    ]
    (tmp_path / "curve.jsonl").write_text("\n".join(map(json.dumps, curve)) + '\n{"part": "cur')
    rules = [
        {"part": "rules", "label": rule, "rule": rule, "bits": 32, "protocol": "I", "seed": seed, "map": base + step}
        for rule, base in (("none", 0.5), ("adaptive", 0.6))
        for seed, step in enumerate((0.0, 0.01, 0.05))
    ]
    (tmp_path / "rules.jsonl").write_text("\n".join(map(json.dumps, rules)))
    return tmp_path


def test_the_interval_is_students_over_seeds(folder):
    means = benchmarks_study.means(benchmarks_study.frame(folder, "rules"), ["bits", "label"])
    values = [0.6, 0.61, 0.65]
    line = means[means["label"] == "adaptive"].iloc[0]
    assert line["n"] == 3
    assert line["mean"] == pytest.approx(statistics.mean(values))
    assert line["half"] == pytest.approx(4.3026527 * statistics.stdev(values) / math.sqrt(3))


def test_the_curve_of_one_seed_goes_from_weak_to_strong_clipping_without_intervals(folder):
    results = benchmarks_study.frame(folder, "curve")
    assert benchmarks_study.curve_rules(results) == ["threshold"]
    lines, unclipped = benchmarks_study.inverted_u(results, "threshold")
    assert lines["amount"].tolist() == [0.7, 0.5, 0.3]
    assert lines["mean"].tolist() == [0.45, 0.55, 0.35]
    assert lines["half"].isna().all()
    assert unclipped["mean"].tolist() == [0.4]


def test_only_parts_with_results_are_listed_each_once(folder):
    assert benchmarks_study.parts(folder / "nowhere") == []
    line = {"part": "rules", "label": "none", "rule": "none", "bits": 32, "protocol": "II", "seed": 0, "map": 0.4}
    (folder / "rules-II.jsonl").write_text(json.dumps(line))
    assert benchmarks_study.parts(folder) == ["curve", "rules"]
    assert set(benchmarks_study.frame(folder, "rules")["protocol"]) == {"I", "II"}
