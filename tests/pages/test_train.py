"""The Train page: form and command, queue, curves, comparing and managing runs."""

import io
import json
import shutil

import pytest

from tests.pages.conftest import absent, command, fill, opened, unfinish, unfold, words
from transclipped import plugins
from transclipped.clipping import RULES
from transclipped.datasets.registry import load
from transclipped.runs import manage
from transclipped.runs.run import RunDir
from transclipped.training import estimate, queue
from transclipped.ui.text import plain
from transclipped.ui.train import form as train_form
from transclipped.ui.train import jobs, network, presets
from transclipped.ui.train import keep as train_keep
from transclipped.ui.train import link as train_link
from transclipped.ui.train import live as train_live
from transclipped.ui.train import result as train_result
from transclipped.ui.train import start as train_start
from transclipped.utils.measured import remember


@pytest.fixture
def own_speeds(tmp_path, monkeypatch):
    """Path of an empty file of measured speeds, on a machine without accelerator."""
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(estimate, "best_device", lambda: "cpu")
    return estimate._path()


pytestmark = pytest.mark.usefixtures("no_worker")


def show(app, part: str):
    app.segmented_control(key="part").set_value(part).run()
    assert not app.exception, [e.value for e in app.exception]
    return app


def success(app) -> str:
    return next(box.value for box in app.success)


def heading(app) -> list[str]:
    return [heading.value for heading in app.header]


PLUGIN = """
from transclipped.plugins import SHARE, register_rule
@register_rule("mine", amount=SHARE, does="a *secret* share")
def mine(similarity, candidates, config):
    return similarity > config.fraction, None
"""


def test_a_rule_of_a_plug_in_is_offered_with_its_amount(home, own_registries, monkeypatch, tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path / "mine.py"))
    app = opened("train", rule="mine", q="0.3")
    assert app.selectbox(key="rule").options == list(RULES) and app.slider(key="q").value == 0.3
    assert plain("a *secret* share") in words(app)
    assert "--clip mine" in command(app) and "--clip-fraction 0.3" in command(app)
    lab = opened("clipping", size="64", clip_rule="mine", q="0.3")
    assert not lab.error and lab.segmented_control(key="clip_rule").value == "mine"
    for section in ("rules", "sweep"):
        assert not opened("clipping", size="64", look=section, vary="mine").error
    (tmp_path / "mine.py").write_text("1 / 0")
    app = opened("train")
    assert not app.exception and "ZeroDivisionError" in app.error[0].value


@pytest.mark.parametrize(
    ("query", "flags"),
    [
        (
            {"rule": "threshold", "delta": "0.4", "tau": "0.2", "treatment": "clamp"},
            ["--clip threshold", "--clip-threshold 0.4", "--clip-treatment clamp", "--temperature 0.2"],
        ),
        ({"rule": "rank", "q": "0.1"}, ["--clip-fraction 0.1"]),
        ({"rule": "rank+threshold", "q": "0.2", "delta": "-0.3"}, ["--clip-fraction 0.2", "--clip-threshold -0.3"]),
        ({"rule": "adaptive", "c": "1.25"}, ["--clip adaptive", "--clip-sigma 1.25"]),
        ({"objective": "barlow"}, ["--objective barlow", "--run runs/cifar10-barlow-32"]),
        ({"objective": "moco", "rule": "rank"}, ["--objective moco", "--run runs/cifar10-rank"]),
        ({"preset": "careful"}, ["--validation 2000", "--epochs 8"]),
        ({"preset": "Careful"}, ["--validation 2000", "--epochs 8"]),
    ],
)
def test_a_link_fills_the_form(home, query, flags):
    app = opened("train", **query)
    for flag in flags:
        assert flag in command(app), command(app)


def test_a_preset_fills_in_and_each_setting_can_be_changed(home):
    app = opened("train")
    assert "--train-limit 2000" in command(app) and "--batch 128" in command(app)
    assert "--batch 64" in command(fill(app, batch=64))
    app.segmented_control(key="preset").set_value(presets.CAREFUL).run()
    assert "limit" not in command(app) and "--validation 2000" in command(app)
    assert app.number_input(key="set batch").value == 256
    fill(app, dataset="caltech101")
    assert "--dataset caltech101" in command(app) and "--validation 200" in command(app)
    assert "--protocol" not in command(app)


def test_settings_that_are_not_drawn_keep_their_values_until_the_page_is_left(home):
    app = opened("train", epochs="5", lr="0.01")
    assert not any(field.key == "set epochs" for field in app.number_input)
    assert "--epochs 5" in command(app) and "--lr 0.01" in command(app)
    fill(app, epochs=6, train=None, on="continuous")
    app.session_state[train_form.MORE] = False
    app.run().segmented_control(key="set bits").set_value(64).run()
    assert not any(field.key == "set epochs" for field in app.number_input)
    for flag in ("--epochs 6", "--lr 0.01", "--clip-on continuous", "--bits 64"):
        assert flag in command(app), command(app)
    assert "--train-limit" not in command(app)
    app.switch_page("pages/codebooks.py").run()
    app.query_params.clear()
    app.switch_page("pages/train.py").run()
    assert not app.exception and "--lr" not in command(app) and "--clip-on" not in command(app)
    assert "--train-limit 2000" in command(app)


def test_the_usual_settings_are_those_of_the_untouched_form(home, monkeypatch):
    configs = []
    monkeypatch.setattr(train_start, "estimated", configs.append)
    assert opened("train").selectbox(key="rule").options == list(RULES)
    assert configs == [train_form.usual()]


def test_every_setting_reaches_the_command(home):
    app = fill(opened("train", rule="rank"), bits=64, protocol="II", seed=5, lr=0.01, views=3, start=1.0, full=2.0)
    fill(app, on="continuous", learns="last-2", select="validation", backbone=network.OTHER)
    fill(app, timm="vit_tiny_patch16_224")
    flags = (
        "--bits 64|--protocol II|--seed 5|--lr 0.01|--views 3|--clip-start 1.0|--clip-full 2.0|--clip-on continuous"
        "|--backbone-train last-2|--select validation|--backbone vit_tiny_patch16_224"
    )
    for flag in flags.split("|"):
        assert flag in command(app), command(app)


def test_an_objective_without_negatives_says_that_nothing_is_clipped(home):
    app = unfold(opened("train", objective="nonsense"))
    assert app.selectbox(key="set objective").value == "simclr" and "--objective" not in command(app)
    assert "no negatives" not in words(app)
    fill(app, objective="vicreg")
    assert "no negatives" in words(app) and "--objective vicreg" in command(app)
    assert app.query_params["objective"] == "vicreg"


def test_a_rule_that_an_objective_cannot_use_is_explained(home):
    app = fill(opened("train", rule="debiased"), objective="moco")
    assert not app.exception and any("debiased" in box.value for box in app.error)


def test_a_collapsed_head_raises_an_alarm(finished):
    events = finished / "events.jsonl"
    assert train_live.COLLAPSE not in [box.value for box in opened("train", watch="tiny").warning]
    last = RunDir(finished).events("epoch")[-1]
    with events.open("a") as file:
        file.write(json.dumps(last | {"mean_cosine": 0.995}) + "\n")
    assert train_live.COLLAPSE in [box.value for box in opened("train", watch="tiny").warning]


def test_each_data_set_has_its_fields(home):
    app = fill(opened("train"), dataset="folder")
    fill(app, data="/photos", labels="/labels.csv")
    assert "--data /photos" in command(app) and "--labels /labels.csv" in command(app)
    fill(app, dataset="mirflickr")
    fill(app, data="/flickr", lists="/lists")
    assert "--data /flickr" in command(app) and "--labels /lists" in command(app)
    assert "--annotations" not in command(app)
    assert "--annotations relevant" in command(fill(app, annotations="relevant"))
    fill(app, dataset="nuswide")
    assert "--labels /lists" in command(app) and "--annotations" not in command(app)
    assert "--labels" not in command(fill(app, dataset="caltech101"))


def test_contradicting_settings_are_explained(home):
    app = fill(opened("train"), start=3.0)
    assert plain("start <= full") in words(app) and not app.exception


def test_no_time_is_named_before_a_training_has_run(home, own_speeds):
    app = opened("train")
    assert "estimated" not in app.session_state and "About" not in words(app)
    assert not app.error and not app.button(key="start").disabled


def test_the_estimate_is_the_librarys(home, own_speeds):
    usual = train_form.usual()
    images = load(usual.data)
    info = {"name": usual.backbone.name, "fingerprint": "of nothing cached", "image_size": 96, "width": 256}
    remember(own_speeds, estimate._backbone(usual.backbone, images), info)
    for key, speed in zip(estimate._speeds(usual, images, 256, "cpu"), (50.0, 2000.0, 1e6), strict=True):
        remember(own_speeds, key, speed)
    app = opened("train")
    config, seconds = app.session_state["estimated"]
    result = train_start.estimated(config)
    assert config == usual and seconds == result.seconds
    assert f"About {train_live.duration(seconds)}" in words(app)
    assert result.steps == 1800 // 128 * 8 and f"{result.steps:,} steps" in words(app)
    app.button(key="start").click().run()
    assert [w.seconds for w in queue.waiting(home)] == [seconds]  # for those who wait behind it


def test_a_missing_folder_is_explained_and_the_form_stays(home):
    app = fill(fill(opened("train"), dataset="folder"), data="/no such folder")
    assert "is not a folder" in words(app) and not app.exception
    assert app.button(key="start").disabled


def test_a_queued_training_has_a_position_and_can_be_cancelled(home):
    first, second = opened("train"), opened("train")
    first.button(key="start").click().run()
    second.button(key="start").click().run()
    names = [w.name for w in queue.waiting(home)]
    assert len(names) == 2 and names[1] == f"{names[0]}-2"
    assert f"**{names[0]}** is queued" in words(first) and "next" in words(first)
    assert f"**{names[1]}** is queued" in words(second) and "1 ahead" in words(second)
    second.button(key="cancel").click().run()
    assert not second.exception and [w.name for w in queue.waiting(home)] == names[:1]
    assert names[1] not in words(second) and f"**{names[0]}** is queued" in words(first.run())


def test_the_queue_survives_a_restart_of_the_app(home):
    opened("train").button(key="start").click().run()
    name = queue.waiting(home)[0].name
    assert f"**{name}** is queued" in words(opened("train", watch=name))


def test_a_taken_name_is_refused(finished):
    app = opened("train")
    app.text_input(key="name").set_value("tiny").run()
    assert "run tiny already" in words(app) and app.button(key="start").disabled
    assert not queue.waiting(finished.parent)


def test_curves_are_those_of_the_events(finished):
    events = RunDir(finished).events("step", "epoch")
    epochs, values = train_live.lines(events, "validation_map")["validation mAP"]
    assert epochs.tolist() == [1, 2]
    assert values.tolist() == [e["validation_map"] for e in events if e["kind"] == "epoch"]
    assert set(train_live.lines(events, "loss")) == {"total", "contrastive", "entropy of soft codes", "diversity"}
    assert train_live.lines([], "loss") == {}
    many = [{"kind": "step", "epoch": i / 100, "perplexity": float(i)} for i in range(3701)]
    epochs, values = train_live.lines(many, "perplexity")["perplexity"]
    assert 400 < len(values) <= train_live.MOST_POINTS and values[0] == 0 and epochs[-1] > 36.9


def count_charts(app) -> int:
    return len(app.get("plotly_chart"))


def test_a_pair_of_figures_is_drawn_and_the_address_opens_another_or_all(finished):
    app = opened("train")
    assert count_charts(app) == 2 and "Loss" in words(app) and "Validation mAP" in words(app)
    app.segmented_control(key="curves").set_value("clipping").run()
    assert count_charts(app) == 2 and "Precision" in words(app)
    assert app.query_params.get("curves") == "clipping"
    assert count_charts(opened("train", curves="all")) == len(train_live.FIGURES)
    assert count_charts(show(opened("train", curves="codes"), "compare")) == 2


def test_each_figure_is_in_a_pair():
    pairs = [figure for part, (_, figures) in train_live.GROUPS.items() for figure in figures if part != "all"]
    assert sorted(pairs) == sorted(train_live.FIGURES) == sorted(train_live.GROUPS["all"][1])


def test_a_stopped_run_can_be_resumed_and_a_finished_one_cannot(finished):
    assert not [b for b in opened("train").button if b.key == "resume"]
    unfinish(finished, state="stopped")
    app = opened("train")
    app.button(key="resume").click().run()
    assert [w.name for w in queue.waiting(finished.parent)] == ["tiny"]
    assert "**tiny** is queued" in words(app)


def test_a_run_deleted_in_another_tab_is_reported(finished, home):
    app = opened("train", watch="tiny", run="tiny")
    assert "**tiny** is finished" in words(app)
    shutil.rmtree(finished)
    for part in ("curves", "compare", "keep"):
        show(app, part)
        assert "No run yet" in words(app)
    assert "watch" in absent(app)


def test_runs_are_compared(finished, home):
    shutil.copytree(finished, home / "other")
    app = show(opened("train"), "compare")
    assert sorted(app.multiselect(key="compare").value) == ["other", "tiny"]
    shutil.rmtree(home / "other")
    app.run()
    assert app.multiselect(key="compare").value == ["tiny"] and not app.exception


def variant(finished, name: str, *, value: float | None = None, **changes) -> None:
    """A copy of the run with other settings, given by part of the configuration, and another mAP if given."""
    other = finished.with_name(name)
    shutil.copytree(finished, other)
    record = json.loads((other / "config.json").read_text())
    for part, settings in changes.items():
        record[part] |= settings
    (other / "config.json").write_text(json.dumps(record))
    if value is not None:
        metrics = json.loads((other / "metrics.json").read_text())
        metrics["modes"]["asymmetric"]["map"] = value
        (other / "metrics.json").write_text(json.dumps(metrics))


UNCLIPPED = {"rule": "none"}


def test_a_run_is_at_first_compared_with_itself_without_clipping_or_alone(finished, home):
    variant(finished, "twin", clipping=UNCLIPPED)
    variant(finished, "another", data={"seed": 7})
    variant(finished, "apart", data={"seed": 8})
    app = show(opened("train", run="tiny"), "compare")
    assert app.multiselect(key="compare").value == ["tiny", "twin"]
    assert show(opened("train", run="apart"), "compare").multiselect(key="compare").value == ["apart"]


def test_buttons_name_their_run_which_is_renamed_opened_and_deleted(finished, home):
    shutil.copytree(finished, home / "other")
    app = show(opened("train", run="tiny"), "keep")
    app.selectbox(key="kept").set_value("other").run()
    buttons = [*map(app.button, ("open", "rename", "delete")), app.get("download_button")[0].proto]
    assert all("other" in button.label for button in buttons)
    app.text_input(key="name of other").set_value("tiny").run()
    assert app.button(key="rename").disabled and "run tiny already" in words(app)
    app.text_input(key="name of other").set_value("much better!").run()
    assert app.button(key="rename").disabled and plain("much-better") in words(app)
    app.text_input(key="name of other").set_value("better").run()
    app.button(key="rename").click().run()
    assert "renamed to better" in words(app) and (home / "better").exists() and not (home / "other").exists()
    app.button(key="open").click().run()
    assert app.selectbox(key="run").value == "better"
    app.button(key="delete").click().run()
    assert "better was deleted" in words(app) and not app.exception
    assert app.selectbox(key="run").value == "tiny" and not (home / "better").exists()


def test_a_download_can_be_imported_and_rubbish_is_refused(finished, home):
    file = io.BytesIO()
    manage.pack(RunDir(finished), file)
    app = show(opened("train"), "keep")

    def upload(name: str, content: bytes) -> str:
        app.file_uploader(key="upload").upload(name, content, "application/zip")
        app.button(key="take").click().run()
        assert not app.exception
        return words(app)

    for name, new in (("tiny.zip", "tiny-2"), ("mein Lauf (1).zip", "mein-Lauf-1")):
        assert plain(new) in upload(name, file.getvalue())
        assert RunDir(home / new).metrics() == RunDir(finished).metrics()
    assert "is not a zip" in upload("evil.zip", b"PK rubbish")
    assert sorted(p.name for p in home.iterdir() if p.name[0] != ".") == ["mein-Lauf-1", "tiny", "tiny-2"]


def test_two_visitors_have_separate_forms(finished, home):
    one, other = opened("train", rule="rank"), opened("train")
    one.button(key="start").click().run()
    assert "is queued" in words(one)
    other.run()
    assert "is queued" not in words(other) and "--clip adaptive" in command(other)


def test_a_finished_training_has_its_result_and_links(finished, home):
    value = RunDir(finished).metrics()["modes"]["asymmetric"]["map"]
    app = opened("train", watch="tiny")
    text = success(app)
    assert f"mAP@200 {value:.3f}" in text and "200 images" in text and "40 queries" in text
    assert "not trained yet" in text
    variant(finished, "plain", value=0.123, clipping=UNCLIPPED)
    text = success(app.run())
    assert "without clipping: 0.123" in text
    app.button(key="compare watched").click().run()
    assert app.segmented_control(key="part").value == "compare" and not app.exception
    assert app.multiselect(key="compare").value == ["tiny", "plain"]
    assert show(app, "curves").button(key="open watched").disabled  # all pages show it already


def test_a_finished_training_links_to_its_hits(finished, home):
    variant(finished, "plain", clipping=UNCLIPPED)
    app = opened("train", run="tiny", watch="plain")
    app.button(key="hits watched").click().run()
    assert not app.exception and app.selectbox(key="run").value == "plain"
    assert "Retrieval" in [t.value for t in app.title]


def test_a_run_without_clipping_is_not_compared_with_itself(finished, home):
    variant(finished, "plain", clipping=UNCLIPPED)
    assert "without clipping" not in success(opened("train", watch="plain"))


def test_a_failed_training_is_explained_and_resumes_only_from_a_state(finished, home):
    unfinish(
        finished, state="failed", error="schedule.batch is 128, more than the 72 training images; choose at most 72"
    )
    (finished / "last.safetensors").write_bytes(b"a state")
    assert "resume" in [b.key for b in opened("train", watch="tiny").button]
    (finished / "last.safetensors").unlink()
    app = opened("train", watch="tiny")
    assert "*Batch* is 128" in words(app) and "schedule" not in words(app) and "press Start" in words(app)
    assert "resume" not in [b.key for b in app.button]
    app.button(key="discard").click().run()
    assert not app.exception and not finished.exists() and "tiny was deleted" in words(app)


def test_the_watched_training_stays_watched(finished, home, monkeypatch):
    variant(finished, "plain", clipping=UNCLIPPED)
    monkeypatch.setattr(jobs, "busy", lambda: RunDir(home / "plain"))
    app = opened("train", run="tiny")
    assert app.query_params["watch"] == "plain" and "plain" in heading(app)
    monkeypatch.setattr(jobs, "busy", lambda: RunDir(home / "tiny"))  # the next one started
    assert "plain" in heading(app.run())
    monkeypatch.setattr(jobs, "busy", lambda: None)  # it was stopped
    assert "plain" in heading(app.run())
    manage.rename(RunDir(home / "plain"), "renamed")
    assert "renamed" in heading(app.run()) and app.query_params["watch"] == "renamed"
    manage.delete(RunDir(home / "renamed"))
    assert "tiny" in heading(app.run()) and "watch" in absent(app)


def test_another_run_chosen_in_the_sidebar_ends_watching(finished, home):
    variant(finished, "plain", clipping=UNCLIPPED)
    app = opened("train", run="tiny", watch="tiny")
    app.selectbox(key="run").set_value("plain").run()
    assert "plain" in heading(app) and "watch" not in app.query_params


def panels(app, figure: str) -> int:
    """Number of y axes of a chart of Compare."""
    charts = [json.loads(c.proto.spec) for c in app.get("plotly_chart")]
    chart = charts[0] if figure == "loss" else charts[1]
    return len({trace.get("yaxis", "y") for trace in chart["data"]})


def test_incomparable_losses_are_marked_and_drawn_apart(finished, home):
    shutil.copytree(finished, home / "same")
    variant(finished, "colder", loss={"temperature": 0.9})
    app = show(opened("train", run="tiny", watch="tiny"), "compare")
    app.multiselect(key="compare").set_value(["tiny", "same"]).run()
    assert "not comparable" not in words(app) and panels(app, "loss") == 1
    app.multiselect(key="compare").set_value(["tiny", "colder", "same"]).run()
    assert "not comparable" in words(app)
    assert panels(app, "loss") == 2 and panels(app, "validation") == 1


def test_losses_are_grouped_by_what_they_depend_on(finished, home):
    variant(finished, "bits", quantizer={"bits": 16})
    variant(finished, "colder", loss={"temperature": 0.9})
    variant(finished, "rule", clipping=UNCLIPPED)
    variant(finished, "batch", schedule={"batch": 10})
    variant(finished, "broken", loss={"temperature": -1})
    variant(finished, "worse", loss={"temperature": -1})
    names = ["tiny", "bits", "colder", "rule", "batch", "broken", "worse"]
    groups = train_keep.loss_groups([RunDir(home / name) for name in names])
    assert groups == [["tiny", "bits"], ["colder"], ["rule"], ["batch"], ["broken"], ["worse"]]
    assert train_keep.loss_groups([]) == []


def test_a_term_that_is_not_in_the_loss_says_so(finished, home):
    weighted = RunDir(finished).config.loss.entropy > 0
    assert ("not in" in train_live.label_of(RunDir(finished), train_live.ENTROPY)) != weighted
    variant(finished, "other", loss={"entropy": 0.0 if weighted else 0.5})
    assert ("not in" in train_live.label_of(RunDir(home / "other"), train_live.ENTROPY)) == weighted
    assert train_live.label_of(RunDir(finished), "total") == "total"
    variant(finished, "twins", loss={"objective": "barlow"})
    labels = [train_live.label_of(RunDir(path), "contrastive") for path in (finished, home / "twins")]
    assert labels == ["contrastive", network.OBJECTIVE_TEXTS["barlow"]]


def test_a_small_change_of_map_is_drawn_small(finished):
    app = opened("train", watch="tiny")
    chart = json.loads(app.get("plotly_chart")[1].proto.spec)
    low, high = chart["layout"]["yaxis"]["range"]
    assert high - low >= train_live.LEAST - 1e-9


def test_comparing_and_managing_start_with_the_watched_run(finished, home):
    shutil.copytree(finished, home / "other")
    assert show(opened("train", run="tiny", watch="other"), "compare").multiselect(key="compare").value[0] == "other"
    assert show(opened("train", run="tiny", watch="other"), "keep").selectbox(key="kept").value == "other"


def test_a_lesson_sees_the_curves_before_the_folded_form(finished):
    app = opened("train", watch="tiny", lesson="1")
    kinds = [element.type for element in app.main]
    assert kinds.index("plotly_chart") < kinds.index("selectbox")  # the form's first field
    value = RunDir(finished).metrics()["modes"]["asymmetric"]["map"]
    assert f"mAP {value:.3f}" in words(app)
    assert command(app)  # the form is complete, though folded
    kinds = [element.type for element in opened("train", watch="tiny").main]
    assert kinds.index("selectbox") < kinds.index("plotly_chart")


def test_the_sentence_of_a_run_holds_its_numbers(finished, home):
    value = RunDir(finished).metrics()["modes"]["asymmetric"]["map"]
    assert f"{value:.3f}" in train_result.sentence(RunDir(finished))
    assert "without clipping" not in train_result.sentence(RunDir(finished))
    variant(finished, "plain", value=0.123, clipping=UNCLIPPED)
    assert "0.123" in train_result.sentence(RunDir(finished))
    unfinish(home / "plain", state="stopped")
    assert "mAP" not in train_result.sentence(RunDir(home / "plain")) + train_result.sentence(None)


def test_a_choice_that_the_browser_lost_is_restored_with_what_depends_on_it():
    app = opened("train", bits=64, validation=40)
    for name in ("bits", "protocol"):
        app.session_state[train_link.key(name)] = None
    app.run()
    assert not app.error
    assert (app.session_state[train_link.key("bits")], app.session_state[train_link.key("protocol")]) == (64, "I")
    assert app.session_state[train_link.key("validation")] == 40
