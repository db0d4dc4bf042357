"""Clipping over a run, over the bundled lab set, and without labels; and its sweep."""

import json
import re
import shutil
import time
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import pytest

from tests.pages.conftest import keys, opened, words
from transclipped.analysis.clipping.batches import batch_of, lab_batch
from transclipped.analysis.clipping.dials import dial, positions
from transclipped.analysis.clipping.report import report
from transclipped.analysis.clipping.trained import trained
from transclipped.clipping import DELTA, amount_of, turned
from transclipped.config import ClippingConfig
from transclipped.experiments.lab import curves
from transclipped.experiments.lab.sweep import RESULTS, SETTINGS, STATE, Sweep, head_file, run_sweep
from transclipped.features import labset
from transclipped.runs.run import RunDir
from transclipped.ui import theme
from transclipped.ui.clipping import rules
from transclipped.ui.clipping.batch import SOURCES

SECTIONS = ("tune", "mistakes", "steps", "rules", "sweep")


def clipped(app) -> tuple[int, int]:
    """Clipped pairs and all pairs on the page."""
    match = re.search(r"\*\*([\d,]+)\*\* of ([\d,]+) pairs", words(app))
    return tuple(int(number.replace(",", "")) for number in match.groups())


def lab_report(threshold: float):
    lab = labset.load()
    batch = lab_batch(lab, labset.load_head(lab, next(iter(labset.STAGES))), size=64, seed=0)
    return report(batch, ClippingConfig(rule="threshold", threshold=threshold), temperature=0.3)


def test_without_any_run_the_lab_set_is_used(home):
    app = opened("clipping", delta="0.4", size="64")
    assert clipped(app)[0] == lab_report(0.4).mask.sum() > 0
    assert "lab set" in words(app)


@pytest.mark.parametrize("step", ["similarities", "sorted", "clipped", "loss", "gradient"])
def test_each_step_of_an_anchor_is_drawn(home, step):
    app = opened("clipping", look="steps", size="64", anchor="7", step=step, delta="0.3")
    assert not app.error
    assert app.number_input(key="anchor").value == 7
    assert app.segmented_control(key="step").value == step


def test_a_suggested_threshold_can_be_used(home):
    app = opened("clipping", size="64", clip_rule="adaptive")
    button = app.button(key="use 0")
    value = float(button.label.rpartition("= ")[2])
    button.click().run()
    assert app.segmented_control(key="clip_rule").value == "threshold"
    assert clipped(app)[0] == lab_report(value).mask.sum()


def own_rule(run: Path, **clipping) -> None:
    """Let the run be trained with another clipping."""
    config = json.loads((run / "config.json").read_text())
    config["clipping"] |= clipping
    (run / "config.json").write_text(json.dumps(config))


def test_the_page_starts_with_the_rule_of_the_run(finished):
    own_rule(finished, rule="adaptive", sigma=2.5)
    app = opened("clipping")
    assert app.segmented_control(key="clip_rule").value == "adaptive"
    expected = report(
        batch_of(RunDir(finished), size=128, seed=0), ClippingConfig(rule="adaptive", sigma=2.5), temperature=0.3
    )
    assert clipped(app)[0] == expected.mask.sum()
    assert not {"clip_rule", "c"} & app.query_params.keys()


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ({"delta": "0.4"}, "threshold"),  # links from the time when this was the rule of every page
        ({"c": "1.5"}, "threshold"),
        ({"clip_rule": "rank", "q": "0.1"}, "rank"),
        ({"clip_rule": "adaptive", "delta": "0.4"}, "adaptive"),
        ({"clip_rule": "threshold"}, "threshold"),
    ],
)
def test_links_name_the_rule_or_mean_threshold(finished, query, rule):
    own_rule(finished, rule="adaptive", sigma=2.5)
    assert opened("clipping", **query).segmented_control(key="clip_rule").value == rule


def test_another_rule_than_the_run_s_own_stays_and_is_in_the_link(finished):
    own_rule(finished, rule="adaptive", sigma=2.5)
    app = opened("clipping")
    for rule in ("threshold", "rank", "adaptive"):
        app.segmented_control(key="clip_rule").set_value(rule).run()
        app.run()
        assert app.segmented_control(key="clip_rule").value == rule
        address = {name: app.query_params[name] for name in app.query_params}
        assert opened("clipping", **address).segmented_control(key="clip_rule").value == rule


def test_a_rule_without_a_slider_starts_as_threshold(finished):
    own_rule(finished, rule="none")
    assert opened("clipping").segmented_control(key="clip_rule").value == "threshold"


def test_suggestions_tell_what_training_with_them_gave(home):
    results = trained()
    text = words(opened("clipping", size="64"))
    for value in (*results.maps.values(), results.none):
        assert f"{value:.3f}" in text
    assert len(results.maps) == 3


def test_two_heads_are_compared_by_one_press(home):
    app = opened("clipping", size="64")
    charts = len(app.get("plotly_chart"))
    app.toggle(key="pair").set_value(True).run()
    assert not app.exception and len(app.get("plotly_chart")) == charts + 1
    assert opened("clipping", size="64", pair="true").toggle(key="pair").value


def test_a_table_of_all_rules_has_no_share_of_nothing(home):
    app = opened("clipping", look="rules", size="64")
    assert rules.ABOUT_NEGATIVES in [caption.value for caption in app.caption]
    table = app.dataframe[0].value
    debiased = table[table["rule"].str.startswith("debiased")].iloc[0]
    assert debiased["precision"] == "–" and debiased["share clipped"] == "0.0%"
    shares = table[["share clipped", "precision", "recall", "repulsion on false negatives"]].to_numpy().ravel()
    assert all(share == "–" or re.fullmatch(r"\d+\.\d%", share) for share in shares)


def test_a_table_of_all_rules_offers_only_what_changes_it(home):
    shown = keys(opened("clipping", look="rules", size="64"))
    assert "clip_tau" in shown and not {"clip_rule", "clip_treatment"} & shown


def test_links_have_short_names_and_old_ones_with_texts_still_work(finished):
    app = opened("clipping", look="Live sweep", **{"from": SOURCES["lab"]})
    assert app.segmented_control(key="look").value == "sweep"
    app.segmented_control(key="look").set_value("rules").run()
    assert app.segmented_control(key="from").value == "lab"
    assert {name: app.query_params.get(name) for name in ("look", "from")} == {"look": "rules", "from": "lab"}


@pytest.mark.parametrize(
    ("section", "kind", "name", "text", "key", "other"),
    [
        ("steps", "segmented_control", "step", "4 Loss", "loss", "gradient"),
        ("mistakes", "segmented_control", "order", "false negatives missed", "missed", "clipped"),
        ("tune", "selectbox", "head", "after 4 epochs", "epoch-4", "none"),
    ],
)
def test_old_links_with_texts_still_work_and_new_ones_have_keys(home, section, kind, name, text, key, other):
    app = opened("clipping", look=section, size="64", **{name: text})
    assert not app.error and getattr(app, kind)(key=name).value == key
    assert app.query_params.get(name) == key
    getattr(app, kind)(key=name).set_value(other).run()
    assert not app.exception and app.query_params.get(name) == other


@pytest.mark.parametrize("name", ["step", "order", "head", "epoch", "look", "from"])
def test_nonsense_in_a_link_opens_the_page(finished, name):
    for section in SECTIONS:
        assert not opened("clipping", **{"look": section, "size": "64", name: "nonsense"}).error


def test_results_of_a_sweep_are_summarised(home):
    sweep = Sweep()
    folder = home / "sweeps" / sweep.key
    folder.mkdir(parents=True)
    (folder / SETTINGS).write_text(json.dumps(asdict(sweep)))
    line = {"treatment": "remove", "temperature": 0.3, "seed": 0, "k": 500, "clip_fraction": 0.05}
    line |= {"clip_precision": 0.5, "delta": 0.4, "seconds": 4.0, "command": "python -m transclipped train"}
    results = [
        line | {"rule": "none", "amount": None, "map": 0.45},
        line | {"rule": "threshold", "amount": 0.5, "map": 0.55},
        line | {"rule": "adaptive", "amount": 2.0, "map": 0.61},
    ]
    (folder / RESULTS).write_text("\n".join(map(json.dumps, results)) + "\nnot a result")
    app = opened("clipping", look="sweep")
    assert "**0.550 at δ = 0.5**" in words(app)
    assert re.search(r"adaptive rule.* 0\.610", words(app))
    assert app.button(key="sweep button").label == "Train the rest"
    time_of_day = time.strftime("%H:%M", time.localtime((folder / RESULTS).stat().st_mtime))
    assert time_of_day in words(app)


def stored_sweep(home, sweep: Sweep) -> Path:
    """A folder with a result for each setting of a sweep, as an earlier session left it."""
    folder = home / "sweeps" / sweep.key
    folder.mkdir(parents=True)
    (folder / SETTINGS).write_text(json.dumps(asdict(sweep)))
    line = {"treatment": "remove", "temperature": 0.3, "seed": 0, "k": 500, "clip_fraction": 0.05, "map": 0.5}
    line |= {"clip_precision": 0.5, "delta": 0.4, "seconds": 4.0, "command": "python -m transclipped train"}
    lines = [line | {"rule": c.rule, "amount": amount_of(c)} for c in sweep.settings()]
    (folder / RESULTS).write_text("\n".join(map(json.dumps, lines)))
    return folder


def test_an_earlier_sweep_can_start_empty_and_nothing_is_deleted_before_training(home, children):
    folder = stored_sweep(home, Sweep())
    app = opened("clipping", look="sweep")
    assert "Best so far" in words(app)
    app.button(key="sweep empty").click().run()
    assert "Best so far" not in words(app) and (folder / RESULTS).exists()
    assert app.button(key="sweep button").label == "Train 7 heads"
    assert "28 s" in words(app)  # 7 heads of 4 s each
    app.button(key="sweep empty").click().run()
    assert "Best so far" in words(app)
    app.button(key="sweep empty").click().run()
    app.button(key="sweep button").click().run()
    assert len(children) == 1 and not (folder / RESULTS).exists()
    assert app.button(key="sweep button").label == "Cancel" and not app.exception
    children[0].end()


def test_each_visitor_sees_whose_results_a_sweep_shows(home, children):
    first, second = (opened("clipping", look="sweep") for _ in range(2))
    first.button(key="sweep button").click().run()
    folder = home / "sweeps" / Sweep().key
    status = {"state": "running", "t": time.time(), "done": 0, "total": 7, "rule": "none", "amount": None}
    (folder / STATE).write_text(json.dumps(status))
    progress = [app.run().get("progress")[0].proto.text for app in (first, second)]
    assert "Another visitor" not in progress[0] and "Another visitor" in progress[1]
    children[0].end()
    (folder / STATE).write_text(json.dumps(status | {"state": "finished"}))
    shutil.rmtree(folder)
    stored_sweep(home, Sweep())
    pale = [json.loads(app.run().get("plotly_chart")[0].proto.spec)["data"][-2] for app in (first, second)]
    assert [trace["line"]["color"] == theme.pale(theme.RELEVANT) for trace in pale] == [False, True]
    assert [trace["mode"] for trace in pale] == ["lines+markers"] * 2


@pytest.mark.parametrize("rule", turned())
def test_counts_of_a_run_are_those_of_the_library(finished, rule):
    app = opened("clipping", clip_rule=rule, delta="0.5", q="0.1", c="1.5")
    assert not app.error
    batch = batch_of(RunDir(finished), size=128, seed=0)
    config = ClippingConfig(rule=rule, threshold=0.5, fraction=0.1, sigma=1.5)
    result = report(batch, config, temperature=0.3)
    assert clipped(app) == (result.mask.sum(), 256 * 254)
    assert f"{result.repulsion[1]:.1%}" in words(app)


@pytest.mark.parametrize("delta", ["0.3", "0.4", "0.5", "0.6", "0.7"])
def test_the_change_in_repulsion_matches_the_displayed_shares(home, delta):
    before, after, _ = opened("clipping", delta=delta, size="64").metric
    change = Decimal(after.value.rstrip("%")) - Decimal(before.value.rstrip("%"))
    assert Decimal(after.delta.removesuffix(" points").replace("−", "-")) == change


def test_what_is_removed_of_the_repulsion_leads_to_the_shares_of_what_is_left(home):
    app = opened("clipping", delta="0.5", size="64")
    lab = labset.load()
    batch = lab_batch(lab, labset.load_head(lab, next(iter(labset.STAGES))), size=64, seed=0)
    counts = dial(batch, ClippingConfig(rule="threshold"), temperature=0.3)
    price, gain = counts.removed[int(abs(counts.amounts - 0.5).argmin())]
    (text,) = (element.value for element in app.markdown if element.value.startswith("This setting clips"))
    assert f"{gain:.0%} of the repulsion on false negatives and {price:.0%}" in text
    assert [metric.value for metric in app.metric][:2] == [f"{share:.1%}" for share in lab_report(0.5).repulsion]


@pytest.mark.parametrize("same", [True, False])
def test_the_best_by_labels_is_a_row_of_its_own_unless_a_suggestion_has_its_threshold(home, monkeypatch, same):
    from transclipped.ui.clipping import suggestions

    suggested = float(opened("clipping", size="64").button(key="use 0").label.rpartition("= ")[2])
    index = int(abs(positions(DELTA) - suggested).argmin()) if same else 100
    monkeypatch.setattr(suggestions, "best_by_labels", lambda counts: index)
    app = opened("clipping", size="64")
    assert ("use best" in keys(app)) != same
    assert [("*Otsu*" in caption.value) for caption in app.caption if "F₁" in caption.value] == [same]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_with_a_run_and_without(finished, section):
    for source in ("run", "lab"):
        app = opened("clipping", look=section, **{"from": source, "size": "64"})
        assert not app.error, [e.value for e in app.error]
    assert app.segmented_control(key="look").value == section


@pytest.mark.parametrize("section", SECTIONS[:4])
def test_a_run_without_labels_opens_every_section(finished, monkeypatch, section):
    from transclipped.analysis.clipping import report as clipping
    from transclipped.ui.clipping import batch as ui

    ui._run_batch.clear()

    def unlabelled(run, **how):
        batch = batch_of(run, **how)
        return clipping.Batch(batch.rows, batch.similarity, None)

    monkeypatch.setattr(ui, "batch_of", unlabelled)
    app = opened("clipping", look=section, size="64")
    ui._run_batch.clear()
    assert not app.error, [e.value for e in app.error]
    assert not [metric for metric in app.metric if "repulsion" in metric.label]
    assert not [c for c in app.segmented_control if c.key == "order" and len(c.options) > 1]


@pytest.mark.parametrize("order", ["clipped", "missed"])
def test_worst_mistakes_can_be_shown_first(finished, order):
    app = opened("clipping", look="mistakes", size="64", order=order)
    assert not app.error
    assert app.segmented_control(key="order").value == order


def test_any_epoch_of_a_run_can_be_selected(finished):
    run = RunDir(finished)
    app = opened("clipping", epoch="1", delta="0.5")
    expected = report(
        batch_of(run, size=128, seed=0, epoch=1), ClippingConfig(rule="threshold", threshold=0.5), temperature=0.3
    )
    assert clipped(app)[0] == expected.mask.sum()
    assert f"run {run.name}" in words(app) and "after epoch 1" in words(app)


def test_a_sweep_is_started_watched_and_cancelled(home, children):
    from transclipped.experiments.lab.sweep import STOP

    app = opened("clipping", look="sweep", seed="5")
    app.button(key="sweep button").click().run()
    assert not app.exception and len(children) == 1
    assert app.button(key="sweep button").label == "Cancel"
    folder = home / "sweeps" / Sweep(seed=5).key
    status = {"state": "running", "t": time.time(), "done": 0, "total": 7, "rule": "none", "amount": None}
    (folder / STATE).write_text(json.dumps(status | {"step": 304, "steps": 608}))
    app.run()
    assert not app.exception
    app.button(key="sweep button").click().run()
    assert (folder / STOP).exists()
    children[0].end()
    (folder / STATE).write_text(json.dumps(status | {"state": "stopped"}))
    app.run()
    assert app.button(key="sweep button").label == "Train 7 heads"


def test_a_head_of_a_sweep_is_saved_as_a_run_that_other_pages_list(home, monkeypatch):
    monkeypatch.setattr(labset, "EPOCHS", 1)
    sweep = Sweep(amounts=(0.5,), seed=3)
    folder = home / "sweeps" / sweep.key
    run_sweep(labset.load(), sweep, folder)
    address = {"look": "sweep", "seed": "3"}
    app = opened("clipping", **address)
    app.multiselect(key="amounts threshold").set_value([0.5]).run()
    assert sorted(app.selectbox(key="keep head").options) == ["adaptive c = 2", "none", "threshold δ = 0.5"]
    app.selectbox(key="keep head").set_value("threshold δ = 0.5").run()
    app.button(key="keep button").click().run()
    assert not app.exception and not app.error
    saved = RunDir(home / "lab-threshold-0.5-t0.3-seed-3")
    assert saved.metrics()["n_database"] == 5000 and saved.config.clipping.threshold == 0.5
    assert f"Saved as {saved.name}" in words(app)
    assert saved.name in app.selectbox(key="run").options
    assert not opened("retrieval", run=saved.name).error
    compared = opened("benchmarks", run=saved.name)
    assert not compared.error and saved.name in str([frame.value for frame in compared.dataframe])
    app.button(key="kept retrieval").click().run()
    assert app.session_state["run"] == saved.name
    app = opened("clipping", **address)
    app.multiselect(key="amounts threshold").set_value([0.5]).run()
    app.selectbox(key="keep head").set_value("threshold δ = 0.5").run()
    app.button(key="keep button").click().run()
    assert not app.error and [run.name for run in home.glob("lab-*")] == [saved.name]
    shutil.rmtree(saved.path)
    head_file(folder, saved.config.clipping).write_bytes(b"torn")
    app.button(key="keep button").click().run()
    assert not app.exception and app.error


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("view", [{"lesson": "1"}, {"projector": "true"}])
def test_in_front_of_a_class_controls_are_folded_and_still_work(home, section, view):
    app = opened("clipping", look=section, size="64", delta="0.4", **view)
    assert not app.error
    assert app.expander
    if section != "sweep":
        assert app.selectbox(key="size").value == 64
    if section in ("tune", "steps", "mistakes"):
        app.segmented_control(key="clip_rule").set_value("rank").run()
        assert not app.exception and app.query_params["clip_rule"] == "rank"


def test_a_class_hears_the_numbers_of_the_setting(home):
    text = words(opened("clipping", size="64", delta="0.4", lesson="1"))
    lab = labset.load()
    batch = lab_batch(lab, labset.load_head(lab, next(iter(labset.STAGES))), size=64, seed=0)
    price, gain = dial(batch, ClippingConfig(rule="threshold"), temperature=0.3).removed[40]
    curve = curves.reached(curves.load(), "threshold", 0.3)
    said = next(line for line in text.splitlines() if "At δ = 0.4" in line)
    for number in (f"{gain:.0%}", f"{price:.0%}", f"{curve.at(0.4):.3f}", f"{curve.none:.3f}"):
        assert number in said
    assert "At δ = 0.4" not in words(opened("clipping", size="64", delta="0.4"))
