"""The Benchmarks page: what it shows is what the library says, and a broken run does not take the others along."""

import json
import shutil

from tests.pages.conftest import opened, words
from transclipped.training.run import RunDir
from transclipped.ui import benchmarks_view


def test_the_table_holds_each_measured_run_with_its_map(finished, home):
    shutil.copytree(finished, home / "other")
    table = opened("benchmarks").dataframe[0].value
    assert sorted(table["Run"]) == ["other", "tiny"]
    modes = RunDir(finished).metrics()["modes"]
    assert table["mAP"].tolist() == [modes["asymmetric"]["map"]] * 2
    app = opened("benchmarks", search="symmetric")
    assert app.dataframe[0].value["mAP"].tolist() == [modes["symmetric"]["map"]] * 2


def test_a_damaged_run_is_named_and_the_other_still_shown(finished, home):
    shutil.copytree(finished, home / "broken")
    (home / "broken" / "metrics.json").write_text("{")
    app = opened("benchmarks")
    assert app.dataframe[0].value["Run"].tolist() == ["tiny"]
    assert "broken is left out" in words(app)


def test_published_numbers_are_set_apart_with_their_source(finished):
    app = opened("benchmarks")
    measured, published = app.dataframe[0].value, app.dataframe[1].value
    assert "Method" not in measured
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
    assert opened("benchmarks", runs="gone").multiselect(key="runs").value == ["tiny"]


def test_without_a_chosen_run_the_page_says_so(finished):
    app = opened("benchmarks")
    app.multiselect(key="runs").set_value([]).run()
    assert not app.exception
    assert "Choose a run to draw" in words(app)


def test_the_study_is_shown_where_its_folder_is(finished, tmp_path, monkeypatch):
    assert "The study" not in words(opened("benchmarks")) or benchmarks_view.STUDY.is_dir()
    monkeypatch.setattr(benchmarks_view, "STUDY", tmp_path / "study")
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
    app = opened("benchmarks")
    assert "The study" in words(app)
    assert app.dataframe[2].value["mAP"].tolist() == [0.505]
