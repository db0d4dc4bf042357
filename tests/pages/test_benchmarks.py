"""The Benchmarks page: it shows the numbers of the library, and a damaged run does not affect the others."""

import json
import shutil
from functools import partial
from itertools import product

import pandas as pd
import pytest

from tests.pages.conftest import keys, opened, words
from transclipped.analysis import benchmarks_study, field, headline
from transclipped.experiments.lab.keep import ROUNDED
from transclipped.runs.run import RunDir
from transclipped.ui.benchmarks import charts, pipelines, view
from transclipped.ui.benchmarks import field as field_view

benchmarks = partial(opened, "benchmarks")
ROOM = 820  # px, of a page beside the sidebar of a window of 1280


def test_the_table_holds_each_measured_run_with_its_map(finished, home):
    shutil.copytree(finished, home / "other")
    assert sorted(benchmarks().dataframe[0].value["Run"]) == ["other", "tiny"]
    for search in ("asymmetric", "symmetric"):
        table = benchmarks(search=search).dataframe[0].value
        assert table["mAP"].tolist() == [RunDir(finished).metrics()["modes"][search]["map"]] * 2


def changed(run, name: str, file: str, **values) -> None:
    """A copy of a run with other values in one of its JSON files; a dict is merged into the section of its name."""
    shutil.copytree(run, run.with_name(name))
    path = run.with_name(name) / file
    record = json.loads(path.read_text())
    for key, value in values.items():
        record[key] = {**record[key], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(record))


def test_columns_that_make_rows_comparable_come_first_and_samples_are_marked(finished, home):
    changed(finished, "all", "config.json", data={"train_limit": None, "database_limit": None, "query_limit": None})
    table = benchmarks().dataframe[0].value
    assert list(table.columns)[:6] == ["Run", "Data set", "Protocol", "K", "Database", "Sample"]
    assert table.set_index("Run")["Sample"].to_dict() == {"all": "", "tiny": view.SAMPLED}


def test_at_first_only_comparable_runs_are_selected(finished, home):
    changed(finished, "two", "config.json", data={"protocol": "II"})
    changed(finished, "k", "metrics.json", k=100)
    shutil.copytree(finished, home / "same")
    assert sorted(benchmarks(run="tiny").multiselect(key="runs").value) == ["same", "tiny"]
    assert benchmarks(run="two").multiselect(key="runs").value == ["two"]


def test_a_damaged_run_is_named_and_the_other_is_shown(finished, home):
    shutil.copytree(finished, home / "broken")
    (home / "broken" / "metrics.json").write_text("{")
    app = benchmarks()
    assert app.dataframe[0].value["Run"].tolist() == ["tiny"]
    assert "broken is left out" in words(app)


def test_published_numbers_are_separate_and_name_their_source(finished):
    assert "Method" not in benchmarks().dataframe[0].value
    app = benchmarks(section="published")
    published = app.dataframe[0].value
    assert published["mAP, 32 bits"].tolist() == [0.7024, 0.6409]
    text = words(app)
    assert "not measured here" in text and "AAAI22-MeCoQ" in text and "JPEG" in text


def test_runs_in_a_link_are_selected_and_missing_ones_ignored(finished, home):
    shutil.copytree(finished, home / "other")
    app = benchmarks(runs="tiny")
    assert app.multiselect(key="runs").value == ["tiny"]
    shutil.rmtree(home / "other")
    assert not app.run().exception
    assert benchmarks(runs="gone").multiselect(key="runs").value == ["tiny"]


def test_without_a_selected_run_there_is_no_figure(finished):
    app = benchmarks()
    app.multiselect(key="runs").set_value([]).run()
    assert not app.exception
    assert not app.get("plotly_chart") and "Select a run" in words(app)


def test_the_study_is_shown_if_it_has_results(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(view, "STUDY", tmp_path / "study")
    assert not benchmarks(section="study").dataframe
    (tmp_path / "study").mkdir()
    rule = {"label": "threshold", "rule": "threshold", "seed": 0}
    curve = [{**rule, "amount": a, "temperature": t, "map": a * t} for a, t in product((0.3, 0.5), (0.2, 0.3))]
    rule = {"label": "none", "rule": "none", "protocol": "I", "bits": 32}
    rules = [{**rule, "seed": seed, "map": 0.5 + seed / 100} for seed in (0, 1)]
    for name, lines in (("curve", curve), ("rules", rules)):
        (tmp_path / "study" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    app = benchmarks(section="study")
    assert "The study" in words(app) and not app.error
    assert app.dataframe[0].value["mAP"].tolist() == [0.505]
    assert "The study" in words(benchmarks(study_part="rules"))  # an old link, without a section


def test_objectives_are_compared_by_map_and_by_mean_cosine(finished):
    app = benchmarks(section="study", study_part="objectives")
    table = app.dataframe[0].value
    assert not app.error and len(table) == 14 and set(table["seeds"]) == {3}
    means = table.set_index("label")["mAP"]
    for name in ("NT-Xent", "MoCo", "HN", "Full-HN", "Margin-HN"):
        assert means[f"{name}, clipped"] > means[name] + 0.03
    app.selectbox(key="study_value").set_value("mean_cosine").run()
    assert not app.error and "mean cosine of images" in app.dataframe[0].value


@pytest.mark.parametrize(("section", "stays"), [("measured", False), ("published", True)])
def test_another_section_survives_a_reload_after_the_study(finished, section, stays):
    app = benchmarks(section="study")
    app.segmented_control(key="study_part").set_value("batch").run()
    app.segmented_control(key="section").set_value(section).run()
    assert ("study_part" in app.query_params) == stays
    reloaded = benchmarks(**app.query_params)
    assert reloaded.segmented_control(key="section").value == section


def test_heads_kept_from_a_sweep_are_marked_as_rounded(finished, home):
    assert "Measured on" not in benchmarks().dataframe[0].value
    changed(finished, "kept", "config.json", features=ROUNDED)
    app = benchmarks()
    table = app.dataframe[0].value.set_index("Run")["Measured on"]
    assert table["kept"] == ROUNDED and table["tiny"] == ""
    assert "8 bits: kept." in words(app)
    app.multiselect(key="runs").set_value(["tiny"]).run()
    assert "8 bits: " not in words(app)


@pytest.mark.parametrize("kind", ["precision", "recall", "precision_recall", "classes"])
def test_every_figure_is_drawn_from_a_link(finished, kind):
    app = benchmarks(curve=kind)
    assert not app.error and app.segmented_control(key="curve").value == kind
    assert len(app.get("plotly_chart")) == 1


def test_rules_are_stacked_in_a_panel_per_code_length():
    table = pd.DataFrame(
        [(*key, 3, 0.5 + key[0] / 1000, 0.01) for key in product((64, 16), ("II", "I"), ("none", "rank"))],
        columns=["bits", "protocol", "label", "n", "mean", "half"],
    )
    figure = charts.means(table, x="label", line=["protocol"], panel=["bits"], value="mAP", key="k")
    assert [a.text for a in figure.layout.annotations] == ["16 bits", "64 bits"]
    traces = [(trace.name, trace.xaxis, list(trace.y)) for trace in figure.data if trace.x[0] is not None]
    both = ["none", "rank"]
    assert traces == [("I 16", "x", both), ("II 16", "x", both), ("I 64", "x2", both), ("II 64", "x2", both)]
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range


def test_numbers_are_joined_in_ascending_order():
    table = pd.DataFrame(
        {"batch": [256, 64, 128], "label": ["none"] * 3, "n": 1, "mean": [3.0, 1.0, 2.0], "half": None}
    )
    figure = charts.means(table, x="batch", line=["label"], panel=[], value="mAP", key="k")
    assert list(figure.data[0].x) == ["64", "128", "256"] and list(figure.data[0].y) == [1.0, 2.0, 3.0]


def test_pairs_come_first_with_gain_rule_and_backbone_in_sight(finished, home):
    value = RunDir(finished).metrics()["modes"]["asymmetric"]["map"]
    assert "gains table" not in keys(benchmarks())
    changed(finished, "without", "config.json", clipping={"rule": "none"})
    app = benchmarks()
    table = app.dataframe[0].value
    assert list(table.columns)[:5] == ["Gain", "± (95%)", "Over", "Rule", "Backbone"]
    assert (table["Gain"].tolist(), table["Clipping"].tolist()) == ([0.0], [value])
    assert table["Runs"].tolist() == ["without → tiny"]
    assert app.dataframe[1].value["Run"].tolist() == ["tiny", "without"]


def test_columns_that_decide_fit_beside_the_sidebar_and_others_are_hidden(finished, home):
    changed(finished, "without", "config.json", clipping={"rule": "none"})
    pairs, runs = (json.loads(element.proto.columns) for element in benchmarks().dataframe[:2])
    hidden = [{name for name, column in each.items() if column.get("hidden")} - {"_index"} for each in (pairs, runs)]
    assert hidden == [{"Over", "Runs"}, {view.NAMES[name][0] for name in view.HIDDEN}]
    assert sum(view.WIDTHS.values()) <= ROOM
    order = [name for name in view.NAMES if name in view.WIDTHS]
    assert all(runs[view.NAMES[name][0]]["width"] == view.WIDTHS[name] for name in order)


def test_each_stage_is_indented_below_the_row_that_it_continues():
    rows = pd.DataFrame(
        {"pipeline": ["a", "a | b", "a | b | c", "x | d"], "before": ["", "a", "a | b", ""], "stage": list("abcd")}
    )
    assert pipelines.tree(rows) == ["a", "↳ b", f"{pipelines.INDENT}↳ c", "x | d"]


def test_a_data_set_is_one_column_of_gains_unless_it_has_several_protocols():
    groups = {
        name: pd.DataFrame({"row": [name]}) for name in ("cifar10", "cifar10, I", "x", "caltech101, a", "caltech101, b")
    }
    rows = {name: part["row"].tolist() for name, part in pipelines._by_data(groups).items()}
    assert rows == {
        "CIFAR-10": ["cifar10", "cifar10, I"],
        "x": ["x"],
        "Caltech-101 (a)": ["caltech101, a"],
        "Caltech-101 (b)": ["caltech101, b"],
    }


def test_the_study_ranks_by_value_and_gives_the_gain_over_none():
    columns = ["label", "bits", "n", "mean", "half"]
    rows = [
        ("none", 16, 1, 0.5, None),
        ("rank", 16, 1, 0.6, None),
        ("none", 32, 1, 0.7, None),
        ("rank", 32, 1, 0.4, None),
    ]
    table = benchmarks_study.ranked(pd.DataFrame(rows, columns=columns), "label", ["bits", "protocol"])
    assert table[["bits", "label"]].values.tolist() == [[16, "rank"], [16, "none"], [32, "none"], [32, "rank"]]
    assert table["gain"].tolist() == pytest.approx([0.1, 0.0, 0.0, -0.3])
    alone = benchmarks_study.ranked(pd.DataFrame(rows[:2], columns=columns), "label", [])
    assert alone["gain"].tolist() == pytest.approx([0.1, 0.0])
    assert "gain" not in benchmarks_study.ranked(pd.DataFrame(rows[1:2], columns=columns), "label", ["bits"])


def test_the_field_lists_sixteen_systems_with_measured_gains_and_the_rounds_of_uair(finished):
    app = opened("benchmarks", section="field")
    assert not app.error and not app.exception
    table, columns = app.table[0].value, field.columns(field.gains(field.measured(), own=headline.headline()))
    assert table.index.tolist() == columns["System"] and len(table) == 16
    assert table["Gain here"].tolist() == columns["Gain here"]
    assert "no gain" in table.loc["UAIR", "Gain here"] and "pipeline?pipe=" in table.loc["UAIR", field_view.HERE]
    assert "It gains nothing over QE here" in words(app)


def test_class_averaged_map_is_the_mean_over_classes(finished, home):
    by_class = RunDir(finished).metrics()["modes"]["asymmetric"]["per_class"]
    total = 0.0
    for value in by_class.values():
        total += value
    table = benchmarks().dataframe[0].value
    assert table["mAP, class mean"].tolist() == [pytest.approx(total / len(by_class))]
