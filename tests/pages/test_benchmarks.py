"""The Benchmarks page: what it shows is what the library says, and a broken run does not take the others along."""

import json
import shutil

import pandas as pd
import pytest

from tests.pages.conftest import opened, words
from transclipped.experiments.lab.keep import ROUNDED
from transclipped.runs.run import RunDir
from transclipped.ui.benchmarks import charts as benchmarks_charts
from transclipped.ui.benchmarks import view as benchmarks_view


def test_the_table_holds_each_measured_run_with_its_map(finished, home):
    shutil.copytree(finished, home / "other")
    table = opened("benchmarks").dataframe[0].value
    assert sorted(table["Run"]) == ["other", "tiny"]
    modes = RunDir(finished).metrics()["modes"]
    assert table["mAP"].tolist() == [modes["asymmetric"]["map"]] * 2
    app = opened("benchmarks", search="symmetric")
    assert app.dataframe[0].value["mAP"].tolist() == [modes["symmetric"]["map"]] * 2


def changed(run, name: str, file: str, **values) -> None:
    """A copy of a run with other values in one of its JSON files; a dict is merged into the section of its name."""
    shutil.copytree(run, run.with_name(name))
    path = run.with_name(name) / file
    record = json.loads(path.read_text())
    for key, value in values.items():
        record[key] = {**record[key], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(record))


def test_what_rows_may_be_compared_by_stands_first_and_samples_are_marked(finished, home):
    changed(finished, "all", "config.json", data={"train_limit": None, "database_limit": None, "query_limit": None})
    table = opened("benchmarks").dataframe[0].value
    assert list(table.columns)[:6] == ["Run", "Data set", "Protocol", "K", "Database", "Sample"]
    assert table.set_index("Run")["Sample"].to_dict() == {"all": "", "tiny": benchmarks_view.SAMPLED}


def test_at_first_only_runs_measured_alike_are_drawn_over_each_other(finished, home):
    changed(finished, "two", "config.json", data={"protocol": "II"})
    changed(finished, "k", "metrics.json", k=100)
    shutil.copytree(finished, home / "same")
    assert sorted(opened("benchmarks", run="tiny").multiselect(key="runs").value) == ["same", "tiny"]
    assert opened("benchmarks", run="two").multiselect(key="runs").value == ["two"]


def test_a_damaged_run_is_named_and_the_other_still_shown(finished, home):
    shutil.copytree(finished, home / "broken")
    (home / "broken" / "metrics.json").write_text("{")
    app = opened("benchmarks")
    assert app.dataframe[0].value["Run"].tolist() == ["tiny"]
    assert "broken is left out" in words(app)


def test_published_numbers_are_set_apart_with_their_source(finished):
    assert "Method" not in opened("benchmarks").dataframe[0].value
    app = opened("benchmarks", section="published")
    published = app.dataframe[0].value
    assert published["mAP, 32 bits"].tolist() == [0.7024, 0.6409]
    said = words(app)
    assert "not measured here" in said and "AAAI22-MeCoQ" in said and "JPEG" in said


def test_runs_of_a_link_are_chosen_and_gone_ones_ignored(finished, home):
    shutil.copytree(finished, home / "other")
    app = opened("benchmarks", runs="tiny")
    assert app.multiselect(key="runs").value == ["tiny"]
    shutil.rmtree(home / "other")
    app.run()
    assert not app.exception
    app = opened("benchmarks", runs="gone")
    assert app.multiselect(key="runs").value == ["tiny"]


def test_without_a_chosen_run_the_page_says_so(finished):
    app = opened("benchmarks")
    app.multiselect(key="runs").set_value([]).run()
    assert not app.exception
    assert "Choose a run to draw" in words(app)


def test_the_study_is_shown_where_its_folder_is(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks_view, "STUDY", tmp_path / "study")
    assert "No result of the study" in words(opened("benchmarks", section="study"))
    (tmp_path / "study").mkdir()
    curve = [
        {"label": "threshold", "rule": "threshold", "amount": a, "temperature": t, "seed": 0, "map": a * t}
        for a in (0.3, 0.5)
        for t in (0.2, 0.3)
    ]
    rules = [
        {"label": "none", "rule": "none", "protocol": "I", "bits": 32, "seed": s, "map": 0.5 + s / 100} for s in (0, 1)
    ]
    for name, lines in (("curve", curve), ("rules", rules)):
        (tmp_path / "study" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    app = opened("benchmarks", section="study")
    assert "The study" in words(app) and not app.error
    assert app.dataframe[0].value["mAP"].tolist() == [0.505]
    assert "The study" in words(opened("benchmarks", study_part="rules"))  # a link from before there were sections


@pytest.mark.parametrize(("section", "stays"), [("measured", False), ("published", True)])
def test_leaving_the_study_survives_a_reload(finished, section, stays):
    app = opened("benchmarks", section="study")
    app.segmented_control(key="study_part").set_value("batch").run()
    app.segmented_control(key="section").set_value(section).run()
    assert ("study_part" in app.query_params) == stays
    reloaded = opened("benchmarks", **app.query_params)
    assert reloaded.segmented_control(key="section").value == section


def test_numbers_of_kept_heads_are_told_to_be_of_rounded_embeddings(finished, home):
    shutil.copytree(finished, home / "kept")
    assert "Measured on" not in opened("benchmarks").dataframe[0].value
    record = json.loads((home / "kept" / "config.json").read_text())
    (home / "kept" / "config.json").write_text(json.dumps(record | {"features": ROUNDED}))
    app = opened("benchmarks")
    table = app.dataframe[0].value.set_index("Run")["Measured on"]
    assert table["kept"] == ROUNDED and table["tiny"] == ""
    assert "rounded to 8 bits: kept." in words(app)
    app.multiselect(key="runs").set_value(["tiny"]).run()
    assert "rounded to 8 bits" not in words(app)


@pytest.mark.parametrize("kind", ["precision", "recall", "precision_recall", "classes"])
def test_every_figure_of_a_link_is_drawn(finished, kind):
    app = opened("benchmarks", curve=kind)
    assert not app.error and app.segmented_control(key="curve").value == kind
    assert len(app.get("plotly_chart")) == 1


def test_rules_stand_below_each_other_in_a_panel_for_each_code_length():
    table = pd.DataFrame(
        [(label, bits, protocol, 3, 0.5 + bits / 1000, 0.01)
         for bits in (64, 16) for protocol in ("II", "I") for label in ("none", "rank")],
        columns=["label", "bits", "protocol", "n", "mean", "half"],
    )  # fmt: skip
    figure = benchmarks_charts.means(table, x="label", line=["protocol"], panel=["bits"], value="mAP", key="k")
    assert [a.text for a in figure.layout.annotations] == ["16 bits", "64 bits"]
    drawn = [(trace.name, trace.xaxis, list(trace.y)) for trace in figure.data if trace.x[0] is not None]
    both = ["none", "rank"]
    assert drawn == [("I 16", "x", both), ("II 16", "x", both), ("I 64", "x2", both), ("II 64", "x2", both)]
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range


def test_a_number_is_joined_from_small_to_large():
    table = pd.DataFrame(
        {"batch": [256, 64, 128], "label": ["none"] * 3, "n": 1, "mean": [3.0, 1.0, 2.0], "half": None}
    )
    figure = benchmarks_charts.means(table, x="batch", line=["label"], panel=[], value="mAP", key="k")
    assert list(figure.data[0].x) == ["64", "128", "256"] and list(figure.data[0].y) == [1.0, 2.0, 3.0]
