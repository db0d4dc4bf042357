"""The Train page: what a link, a preset and a person choose becomes the command; queue, curves, comparing, keeping."""

import io
import json
import shutil

import pytest

from tests.pages.conftest import command, opened, unfinish, words
from transclipped import plugins
from transclipped.clipping import RULES
from transclipped.datasets.registry import load
from transclipped.runs import manage
from transclipped.runs.run import RunDir
from transclipped.training import estimate, queue
from transclipped.ui.text import plain
from transclipped.ui.train import form as train_form
from transclipped.ui.train import jobs, network, presets
from transclipped.ui.train import live as train_live
from transclipped.ui.train import start as train_start
from transclipped.utils.measured import remember


@pytest.fixture
def own_speeds(tmp_path, monkeypatch):
    """Path of the speeds that only this test remembers, on a machine without accelerator."""
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(estimate, "best_device", lambda: "cpu")
    return estimate._path()


pytestmark = pytest.mark.usefixtures("no_worker")


def show(app, part: str):
    app.segmented_control(key="part").set_value(part).run()
    assert not app.exception, [e.value for e in app.exception]
    return app


def test_the_form_offers_exactly_the_librarys_choices(home):
    assert opened("train").selectbox(key="rule").options == list(RULES)


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
        ({"rule": "threshold", "delta": "0.4", "tau": "0.2", "treatment": "clamp"},
         ["--clip threshold", "--clip-threshold 0.4", "--clip-treatment clamp", "--temperature 0.2"]),
        ({"rule": "rank", "q": "0.1"}, ["--clip-fraction 0.1"]),
        ({"rule": "rank+threshold", "q": "0.2", "delta": "-0.3"}, ["--clip-fraction 0.2", "--clip-threshold -0.3"]),
        ({"rule": "adaptive", "c": "1.25"}, ["--clip adaptive", "--clip-sigma 1.25"]),
        ({"preset": "careful"}, ["--validation 2000", "--epochs 8"]),
        ({"preset": "Careful"}, ["--validation 2000", "--epochs 8"]),
        ({"preset": "One minute on this laptop"}, ["--train-limit 2000", "--epochs 8"]),
    ],
)  # fmt: skip
def test_a_link_fills_the_form(home, query, flags):
    app = opened("train", **query)
    for flag in flags:
        assert flag in command(app), command(app)


def test_nonsense_in_a_link_leaves_the_usual_setting(home):
    usual = command(opened("train"))
    assert command(opened("train", rule="mine", delta="high", tau="-1", treatment="burn", preset="Fast")) == usual


def test_a_preset_fills_in_and_each_setting_can_be_changed(home):
    app = opened("train")
    assert "--train-limit 2000" in command(app) and "--batch 128" in command(app)
    app.number_input(key="set batch").set_value(64).run()
    assert "--batch 64" in command(app)
    app.segmented_control(key="preset").set_value(presets.CAREFUL).run()
    assert "limit" not in command(app) and "--validation 2000" in command(app)
    assert app.number_input(key="set batch").value == 256
    app.selectbox(key="set dataset").set_value("caltech101").run()
    assert "--dataset caltech101" in command(app) and "--validation 200" in command(app)
    assert "--protocol" not in command(app)


def test_the_usual_settings_are_those_that_the_form_begins_with(home, monkeypatch):
    asked = []
    monkeypatch.setattr(train_start, "estimated", asked.append)
    opened("train")
    assert asked == [train_form.usual()]


def test_a_preset_promises_no_time():
    said = " ".join([*presets.PRESETS.values(), presets.HELP])
    assert not [word for word in ("minute", "second", "hour", "laptop", "quick", "fast") if word in said.lower()]


def test_every_setting_reaches_the_command(home):
    app = opened("train", rule="rank")
    app.segmented_control(key="set bits").set_value(64)
    app.segmented_control(key="set protocol").set_value("II")
    app.number_input(key="set seed").set_value(5)
    app.number_input(key="set lr").set_value(0.01)
    app.number_input(key="set views").set_value(3)
    app.number_input(key="set start").set_value(1.0)
    app.number_input(key="set full").set_value(2.0)
    app.selectbox(key="set on").set_value("continuous")
    app.selectbox(key="set learns").set_value("last-2")
    app.selectbox(key="set select").set_value("validation")
    app.selectbox(key="set backbone").set_value(network.OTHER).run()
    app.text_input(key="set timm").set_value("vit_tiny_patch16_224").run()
    for flag in ("--bits 64", "--protocol II", "--seed 5", "--lr 0.01", "--views 3", "--clip-start 1.0",
                 "--clip-full 2.0", "--clip-on continuous", "--backbone-train last-2", "--select validation",
                 "--backbone vit_tiny_patch16_224"):  # fmt: skip
        assert flag in command(app), command(app)


def test_a_folder_asks_for_its_path_and_labels(home, tmp_path):
    app = opened("train")
    app.selectbox(key="set dataset").set_value("folder").run()
    app.text_input(key="set data").set_value("/photos").run()
    app.text_input(key="set labels").set_value("/labels.csv").run()
    assert "--data /photos" in command(app) and "--labels /labels.csv" in command(app)


def test_listed_sets_ask_for_their_lists_and_mirflickr_for_its_annotations(home):
    app = opened("train")
    app.selectbox(key="set dataset").set_value("mirflickr").run()
    app.text_input(key="set data").set_value("/flickr").run()
    app.text_input(key="set lists").set_value("/lists").run()
    assert "--data /flickr" in command(app) and "--labels /lists" in command(app)
    assert "--annotations" not in command(app)
    app.segmented_control(key="set annotations").set_value("relevant").run()
    assert "--annotations relevant" in command(app)
    app.selectbox(key="set dataset").set_value("nuswide").run()
    assert "--labels /lists" in command(app) and "--annotations" not in command(app)
    app.selectbox(key="set dataset").set_value("caltech101").run()
    assert "--labels" not in command(app)


def test_settings_that_cannot_be_are_explained(home):
    app = opened("train")
    app.number_input(key="set start").set_value(3.0).run()
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


def test_an_estimate_that_cannot_be_made_says_why_and_the_form_stays(home):
    app = opened("train")
    app.selectbox(key="set dataset").set_value("folder").run()
    app.text_input(key="set data").set_value("/no such folder").run()
    assert "is not a folder" in words(app) and not app.exception
    assert app.button(key="start").disabled


def test_a_press_waits_in_the_queue_shows_its_place_and_can_be_cancelled(home):
    first, second = opened("train"), opened("train")
    first.button(key="start").click().run()
    second.button(key="start").click().run()
    names = [w.name for w in queue.waiting(home)]
    assert len(names) == 2 and names[1] == f"{names[0]}-2"
    assert f"**{names[0]}** waits" in words(first) and "It is next" in words(first)
    assert f"**{names[1]}** waits" in words(second) and "1 before it" in words(second)
    second.button(key="cancel").click().run()
    assert not second.exception and [w.name for w in queue.waiting(home)] == names[:1]
    assert names[1] not in words(second) and f"**{names[0]}** waits" in words(first.run())


def test_the_queue_is_there_after_a_restart_of_the_app(home):
    app = opened("train")
    app.button(key="start").click().run()
    name = queue.waiting(home)[0].name
    again = opened("train", watch=name)
    assert f"**{name}** waits" in words(again)


def test_a_taken_name_is_refused(finished):
    app = opened("train")
    app.text_input(key="name").set_value("tiny").run()
    assert "is a run tiny already" in words(app) and app.button(key="start").disabled
    assert not queue.waiting(finished.parent)


def test_curves_are_those_of_the_events(finished):
    events = RunDir(finished).events("step", "epoch")
    epochs, values = train_live.lines(events, "validation_map")["validation mAP"]
    assert epochs.tolist() == [1, 2]
    assert values.tolist() == [e["validation_map"] for e in events if e["kind"] == "epoch"]
    assert set(train_live.lines(events, "loss")) == {"whole", "contrastive", "entropy of soft codes", "diversity"}
    assert train_live.lines([], "loss") == {}
    many = [{"kind": "step", "epoch": i / 100, "perplexity": float(i)} for i in range(3701)]
    epochs, values = train_live.lines(many, "perplexity")["perplexity"]
    assert 400 < len(values) <= train_live.MOST_POINTS and values[0] == 0 and epochs[-1] > 36.9


def drawn(app) -> int:
    return len(app.get("plotly_chart"))


def test_a_pair_of_figures_is_drawn_and_the_address_opens_another_or_all(finished):
    app = opened("train")
    assert drawn(app) == 2 and "Loss by part" in words(app) and "Validation mAP" in words(app)
    app.segmented_control(key="curves").set_value("clipping").run()
    assert drawn(app) == 2 and "Precision of the clipped pairs" in words(app)
    assert app.query_params.get("curves") == "clipping"
    assert drawn(opened("train", curves="all")) == len(train_live.FIGURES)
    assert drawn(show(opened("train", curves="codes"), "compare")) == 2


def test_each_figure_is_in_a_pair():
    pairs = [figure for part, (_, figures) in train_live.SHOWN.items() for figure in figures if part != "all"]
    assert sorted(pairs) == sorted(train_live.FIGURES) == sorted(train_live.SHOWN["all"][1])


def test_a_stopped_run_can_be_resumed_and_a_finished_one_cannot(finished):
    assert not [b for b in opened("train").button if b.key == "resume"]
    unfinish(finished, state="stopped")
    app = opened("train")
    app.button(key="resume").click().run()
    assert [w.name for w in queue.waiting(finished.parent)] == ["tiny"]
    assert "**tiny** waits" in words(app)


def test_a_run_deleted_in_another_tab_is_gone_without_a_fright(finished, home):
    app = opened("train", watch="tiny", run="tiny")
    assert "**tiny** is finished" in words(app)
    shutil.rmtree(finished)
    for part in ("curves", "compare", "keep"):
        show(app, part)
        assert "No run yet" in words(app)
    assert "no training *tiny* here" in words(app)


def test_runs_are_laid_over_each_other(finished, home):
    shutil.copytree(finished, home / "other")
    app = show(opened("train"), "compare")
    assert sorted(app.multiselect(key="compare").value) == ["other", "tiny"]
    shutil.rmtree(home / "other")
    app.run()
    assert app.multiselect(key="compare").value == ["tiny"] and not app.exception


def test_a_run_is_at_first_laid_over_its_twin_without_clipping_or_alone(finished, home):
    for name, changed in (
        ("twin", {"clipping": {"rule": "none"}}),
        ("another", {"data": {"seed": 7}}),
        ("apart", {"data": {"seed": 8}}),
    ):
        shutil.copytree(finished, home / name)
        record = json.loads((home / name / "config.json").read_text())
        for part, values in changed.items():
            record[part] |= values
        (home / name / "config.json").write_text(json.dumps(record))
    app = show(opened("train", run="tiny"), "compare")
    assert app.multiselect(key="compare").value == ["tiny", "twin"]
    assert show(opened("train", run="apart"), "compare").multiselect(key="compare").value == ["apart"]


def test_a_run_is_renamed_opened_and_deleted(finished, home):
    shutil.copytree(finished, home / "other")
    app = show(opened("train", run="tiny"), "keep")
    app.selectbox(key="kept").set_value("other").run()
    app.text_input(key="name of other").set_value("tiny").run()
    assert app.button(key="rename").disabled and "is a run tiny already" in words(app)
    app.text_input(key="name of other").set_value("much better!").run()
    assert app.button(key="rename").disabled and plain("much-better") in words(app)
    app.text_input(key="name of other").set_value("better").run()
    app.button(key="rename").click().run()
    assert "other is called better now" in words(app) and (home / "better").exists() and not (home / "other").exists()
    app.button(key="open").click().run()
    assert app.selectbox(key="run").value == "better"
    app.button(key="delete").click().run()
    assert "better was deleted" in words(app) and not app.exception
    assert app.selectbox(key="run").value == "tiny" and not (home / "better").exists()


def test_a_download_is_taken_in_again_and_rubbish_is_refused(finished, home):
    file = io.BytesIO()
    manage.pack(RunDir(finished), file)
    app = show(opened("train"), "keep")
    app.file_uploader(key="upload").upload("tiny.zip", file.getvalue(), "application/zip")
    app.button(key="take").click().run()
    assert f"imported as {plain('tiny-2')}" in words(app), words(app)
    assert RunDir(home / "tiny-2").metrics() == RunDir(finished).metrics()
    app.file_uploader(key="upload").upload("evil.zip", b"PK rubbish", "application/zip")
    app.button(key="take").click().run()
    assert "is not a zip" in words(app) and not app.exception
    assert sorted(p.name for p in home.iterdir() if not p.name.startswith(".")) == ["tiny", "tiny-2"]


def test_two_visitors_look_at_their_own(finished, home):
    one, other = opened("train", rule="rank"), opened("train")
    one.button(key="start").click().run()
    assert "waits for its turn" in words(one)
    other.run()
    assert "waits for its turn" not in words(other) and "--clip adaptive" in command(other)


def test_a_zip_of_any_name_becomes_a_run_of_a_fit_one(finished, home):
    file = io.BytesIO()
    manage.pack(RunDir(finished), file)
    app = show(opened("train"), "keep")
    app.file_uploader(key="upload").upload("mein Lauf (1).zip", file.getvalue(), "application/zip")
    app.button(key="take").click().run()
    assert f"imported as {plain('mein-Lauf-1')}" in words(app) and (home / "mein-Lauf-1").is_dir()


def test_buttons_name_the_run_that_they_act_on(finished, home):
    shutil.copytree(finished, home / "other")
    app = show(opened("train", run="tiny"), "keep")
    app.selectbox(key="kept").set_value("other").run()
    for key in ("open", "rename", "delete"):
        assert "other" in app.button(key=key).label
    assert "other" in app.get("download_button")[0].proto.label


def twin(finished, name: str, *, value: float | None = None, rule: str = "none", temperature: float = 0.2) -> None:
    """The run with another rule and temperature, and, if given, another mAP."""
    other = finished.with_name(name)
    shutil.copytree(finished, other)
    record = json.loads((other / "config.json").read_text())
    record["clipping"]["rule"], record["loss"]["temperature"] = rule, temperature
    (other / "config.json").write_text(json.dumps(record))
    if value is not None:
        metrics = json.loads((other / "metrics.json").read_text())
        metrics["modes"]["asymmetric"]["map"] = value
        (other / "metrics.json").write_text(json.dumps(metrics))


def test_a_finished_training_tells_its_result_and_leads_on(finished, home):
    value = RunDir(finished).metrics()["modes"]["asymmetric"]["map"]
    app = opened("train", watch="tiny")
    said = next(s.value for s in app.success)
    assert f"mAP@200 {value:.3f}" in said and "200 images" in said and "40 queries" in said
    assert "not trained yet" in said
    twin(finished, "plain", value=0.123)
    said = next(s.value for s in app.run().success)
    assert "without clipping: 0.123" in said
    app.button(key="compare watched").click().run()
    assert app.segmented_control(key="part").value == "compare" and not app.exception
    assert app.multiselect(key="compare").value == ["tiny", "plain"]
    assert show(app, "curves").button(key="open watched").disabled  # all pages show it already


def test_a_finished_training_leads_to_its_hits(finished, home):
    twin(finished, "plain")
    app = opened("train", run="tiny", watch="plain")
    app.button(key="hits watched").click().run()
    assert not app.exception and app.selectbox(key="run").value == "plain"
    assert "Retrieval" in [t.value for t in app.title]


def test_a_run_without_clipping_is_not_compared_with_itself(finished, home):
    twin(finished, "plain")
    assert "without clipping" not in next(s.value for s in opened("train", watch="plain").success)


def test_a_start_that_failed_says_why_in_the_words_of_the_form_and_cannot_be_resumed(finished, home):
    unfinish(finished, state="failed", error="schedule.batch is 128, but only 72 images train; choose at most 72")
    (finished / "last.safetensors").unlink(missing_ok=True)
    app = opened("train", watch="tiny")
    assert "*Batch* is 128" in words(app) and "schedule" not in words(app) and "press Start" in words(app)
    assert "resume" not in [b.key for b in app.button]
    app.button(key="discard").click().run()
    assert not app.exception and not finished.exists() and "tiny was deleted" in words(app)


def test_a_training_that_failed_later_can_be_resumed(finished, home):
    unfinish(finished, state="failed", error="the disk was full")
    (finished / "last.safetensors").write_bytes(b"a state")
    assert "resume" in [b.key for b in opened("train", watch="tiny").button]


def test_the_watched_training_stays_whatever_another_tab_does(finished, home, monkeypatch):
    twin(finished, "plain")
    monkeypatch.setattr(jobs, "busy", lambda: RunDir(home / "plain"))
    app = opened("train", run="tiny")
    assert app.query_params["watch"] == "plain" and "plain" in [s.value for s in app.subheader]
    monkeypatch.setattr(jobs, "busy", lambda: RunDir(home / "tiny"))  # the next one's turn
    assert "plain" in [s.value for s in app.run().subheader]
    monkeypatch.setattr(jobs, "busy", lambda: None)  # it was stopped
    assert "plain" in [s.value for s in app.run().subheader]
    manage.rename(RunDir(home / "plain"), "renamed")
    assert "renamed" in [s.value for s in app.run().subheader] and app.query_params["watch"] == "renamed"
    manage.delete(RunDir(home / "renamed"))
    assert "tiny" in [s.value for s in app.run().subheader] and "no training *renamed* here" in words(app)


def test_another_choice_in_the_sidebar_ends_the_watching(finished, home):
    twin(finished, "plain")
    app = opened("train", run="tiny", watch="tiny")
    app.selectbox(key="run").set_value("plain").run()
    assert "plain" in [s.value for s in app.subheader] and "watch" not in app.query_params


def test_losses_that_do_not_compare_are_said_to(finished, home):
    shutil.copytree(finished, home / "same")
    twin(finished, "colder", temperature=0.9)
    app = show(opened("train", run="tiny", watch="tiny"), "compare")
    app.multiselect(key="compare").set_value(["tiny", "same"]).run()
    assert "do not compare" not in words(app)
    app.multiselect(key="compare").set_value(["tiny", "colder"]).run()
    assert "do not compare" in words(app)


def test_comparing_and_keeping_begin_with_the_watched_run(finished, home):
    shutil.copytree(finished, home / "other")
    assert show(opened("train", run="tiny", watch="other"), "compare").multiselect(key="compare").value[0] == "other"
    assert show(opened("train", run="tiny", watch="other"), "keep").selectbox(key="kept").value == "other"
