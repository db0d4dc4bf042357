"""The Pipeline page: a line and its ladder, flow's steps, rankers; never a traceback."""

import io
import json
import re
import time

import numpy as np
import pytest
from PIL import Image

import transclipped as tc
from tests.pages.conftest import arrived, keys, opened, words
from transclipped.analysis.reasons import why
from transclipped.experiments.pipelines.stepwise import BEFORE, STEPS
from transclipped.retrieval.advice import advice
from transclipped.ui import reasons
from transclipped.ui.benchmarks import pipelines as measured
from transclipped.ui.pipeline import editor, flow, html, jobs, ladder, select
from transclipped.ui.pipeline.query import FIRST

RUN = "run:hybrid-caltech101-32-clipped"


@pytest.fixture
def ladders(monkeypatch):
    """Columns of the ladder that was drawn last."""
    drawn, draw = [], html.ladder

    def recorded(columns, **rest):
        drawn[:] = columns
        return draw(columns, **rest)

    monkeypatch.setattr(html, "ladder", recorded)
    return drawn


def expected(line, query):
    """Names and numbers of the library's ladder."""
    pipeline = tc.Pipeline(line).fit("caltech101")
    identity = str(pipeline.source.stored.query_ids[query])
    return pipeline, pipeline.ladder(identity, means=True)


@pytest.mark.parametrize("line", [f"{RUN} | flow(10) | cprr(10)", RUN])
def test_advice_stands_below_the_line(home, line):
    app = arrived("pipeline", pipe=line)
    sentences = [caption.value for caption in app.caption if caption.value.startswith(":material/info:")]
    assert [sentence.split(" ", 1)[1] for sentence in sentences] == advice(tc.Pipeline(line).line)


@pytest.mark.parametrize(("line", "query"), [(editor.DEFAULT, 0), (f"{RUN} | flow(10)", 444), (RUN, 999)])
def test_the_ladder_is_the_librarys(home, ladders, line, query):
    arrived("pipeline", pipe=line, pipe_query=str(query))
    _, rungs = expected(line, query)
    assert [column.title for column in ladders] == [rung.stage for rung in rungs]
    for column, rung in zip(ladders, rungs, strict=True):
        assert [cell.relevant for cell in column.cells] == rung.relevant[: ladder.SHOWN].tolist()
        assert column.numbers["AP"] == f"{rung.ap:.3f}" and column.numbers["AP-min"] == f"{rung.ap_r:.3f}"
        assert column.numbers["mAP"] == f"{rung.map:.3f}" and column.numbers["mAP-min"] == f"{rung.map_r:.3f}"
        assert column.numbers["bytes"] == "4"
    for before, column, rung in zip(rungs, ladders[1:], rungs[1:], strict=False):
        for place, cell in enumerate(column.cells):
            earlier = np.flatnonzero(before.hits.rows[0] == rung.hits.rows[0][place])
            assert cell.move == (earlier[0] - place if len(earlier) else None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "|",
        "gem",
        "nonsense",
        "head32 | gme",
        "rrf(",
        "pq(0)",
        "x" * 5000,
        "run:nowhere",
        "float",
        "l2 |",
        "![x](http://h/x.png)",
    ],
)
def test_a_wrong_line_is_one_sentence_beside_the_field(home, ladders, line):
    app = opened("pipeline")
    app.text_input(key="pipe").set_value(line).run()
    assert not app.exception and len(app.error) == 1 and ladders
    app.text_input(key="pipe").set_value(RUN).run()
    assert not app.error and [column.title for column in ladders] == ["run"]


def test_chips_remove_and_the_box_adds_a_stage(home, ladders):
    app = opened("pipeline")
    app.button(key="chip 1").click().run()
    assert [column.title for column in ladders] == ["run", "k-reciprocal"]
    app.button(key="chip 1").click().run()
    app.selectbox(key="pipe add").set_value("flow").run()
    assert app.text_input(key="pipe").value.startswith(f"{RUN} | flow(")
    assert [column.title for column in ladders] == ["run", "flow"]
    assert app.selectbox(key="pipe add").value is None


def test_an_example_replaces_the_line(home):
    app = opened("pipeline")
    app.selectbox(key="pipe example").set_value("fusion").run()
    assert app.text_input(key="pipe").value == editor.EXAMPLES["fusion"]
    assert "compute" in keys(app)


def test_a_line_with_features_waits_for_a_press_and_its_error_is_a_sentence(home, ladders, monkeypatch):
    from transclipped.errors import InputError

    app = arrived("pipeline", pipe="stem16 | gem | l2")
    assert not ladders and not app.error

    def failing(*_):
        raise InputError("no space left")

    monkeypatch.setattr(jobs, "fitted", failing)
    app.button(key="compute").click().run()
    deadline = time.monotonic() + 60
    while not app.error and time.monotonic() < deadline:
        time.sleep(0.1)
        app.run()
    assert "no space left" in words(app) and "compute" in keys(app)


def test_the_bar_counts_images_while_a_pass_is_on_else_prefixes():
    from transclipped.ui.pipeline.view import _progress
    from transclipped.ui.thread_job import Job
    from transclipped.utils.progress import Progress

    job = Job("a | b", done=1, total=4, stage="gem")
    assert _progress(job)[0] == 0
    job.waiting = False
    assert _progress(job)[0] == 1 / 4
    job.see(Progress("maps", 800, 2000, 10.0))
    share, text = _progress(job)
    assert share == 0.4 and all(part in text for part in ("gem", "800", "2,000", "15 s"))
    job.see(Progress("maps", 2000, 2000, 40.0))
    assert _progress(job)[0] == 1 / 4 and "2,000" not in _progress(job)[1]


def test_a_computed_line_has_its_ladder(home, ladders, monkeypatch):
    from transclipped.config import DataConfig
    from transclipped.ui.pipeline import data

    small = DataConfig(dataset="cifar10", train_limit=60, database_limit=60, query_limit=5)
    monkeypatch.setitem(data.CONFIGS, data.CIFAR, small)
    line = "rrf(stem16(64) | mean | l2 + stem16(64) | max | l2 | lsh(16)) | qe(3)"
    app = arrived("pipeline", pipe=line, pipe_data="cifar10", pipe_query="3")
    app.button(key="compute").click().run()
    deadline = time.monotonic() + 120
    while not ladders and time.monotonic() < deadline:
        time.sleep(0.2)
        app.run()
    assert not app.exception and not app.error
    pipeline = tc.Pipeline(line).fit(small)
    rungs = pipeline.ladder(int(pipeline.source.images.ids[pipeline.source.split.query[3]]))
    assert [column.title for column in ladders] == ["branch 1", "branch 2", "rrf", "qe"]
    assert [rung.stage for rung in rungs[2:]] == ["rrf", "qe"]
    assert [column.numbers["AP"] for column in ladders] == [f"{rung.ap:.3f}" for rung in rungs]


@pytest.mark.parametrize("code", ["trees(9, 3, path)", "udh(16, 4)", "lsh(16)"])
def test_a_hit_of_bits_or_trees_is_explained(home, own_pipelines, ladders, monkeypatch, code):
    from transclipped.config import DataConfig
    from transclipped.ui.pipeline import data

    small = DataConfig(dataset="cifar10", train_limit=60, database_limit=60, query_limit=5)
    monkeypatch.setitem(data.CONFIGS, data.CIFAR, small)
    line = f"stem16(64) | mean | l2 | {code} | qe(3)"
    app = arrived("pipeline", pipe=line, pipe_data="cifar10", pipe_query="3", pipe_hit="2")
    app.button(key="compute").click().run()
    deadline = time.monotonic() + 120
    while not ladders and time.monotonic() < deadline:
        time.sleep(0.2)
        app.run()
    assert not app.exception and not app.error
    pipeline = tc.Pipeline(line).fit(small)
    query, chain = int(pipeline.source.images.ids[pipeline.source.split.query[3]]), pipeline.fitted
    vector = chain.encoded(list(chain.source.of(chain.features, query)))[0]
    step = chain.steps[chain.coding]
    for hit in (2, 5):
        app.segmented_control(key="pipe_hit").set_value(hit).run()
        row = int(pipeline.ladder(query)[-1].hits.rows[0][hit - 1])
        facts = why(step.name, chain.index, vector, row, dict(step.options))
        assert reasons.sentence(facts) in words(app)
    assert ("why_tree" in keys(app)) == code.startswith("trees")
    monkeypatch.setattr(ladder, "SHOWN", 3)  # hit 5 is gone, as with a smaller database
    app.run()
    assert not app.exception and app.segmented_control(key="pipe_hit").value == 1
    assert any("**5**" in warning.value for warning in app.warning)


def test_a_line_without_such_a_code_explains_none(home):
    assert "pipe_hit" not in keys(arrived("pipeline"))


def test_an_upload_finds_what_the_library_finds(home, ladders):
    pipeline = tc.Pipeline(editor.DEFAULT).fit("caltech101")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))
    file = io.BytesIO()
    image.save(file, "PNG")
    app = arrived("pipeline", pipe_how="upload")
    assert not ladders
    app.file_uploader[0].upload("noise.png", file.getvalue(), "image/png").run()
    rungs = pipeline.ladder(image)
    names = [
        [", ".join(pipeline.source.described(row)[1]) for row in rung.hits.rows[0][: ladder.SHOWN]] for rung in rungs
    ]
    assert [[cell.name for cell in column.cells] for column in ladders] == names
    assert all(cell.relevant is None for column in ladders for cell in column.cells)
    assert {column.numbers["AP"] for column in ladders} == {"–"}


def test_an_upload_that_is_no_image_is_refused(home, ladders):
    app = arrived("pipeline", pipe_how="upload")
    app.file_uploader[0].upload("notes.txt", b"not an image", "text/plain").run()
    assert not app.exception and not ladders and "notes.txt" in words(app)


@pytest.mark.parametrize("query", ["-3", "1000", "x"])
def test_a_query_that_does_not_exist_is_replaced(home, ladders, query):
    app = arrived("pipeline", pipe_query=query)
    assert app.number_input(key="pipe_query").value == FIRST and ladders


def test_flow_shows_its_steps_one_by_one(home, ladders):
    app = arrived("pipeline", section="flow", flow_step=STEPS[1])
    assert len(ladders) == 3
    app.segmented_control(key="flow_step").set_value(BEFORE).run()
    assert len(ladders) == 1 and not app.exception
    app.segmented_control(key="flow_step").set_value(STEPS[-1]).run()
    assert len(ladders) == 1 + len(STEPS)
    assert sum('<ol class="rungs-row' in one.proto.body for one in app.main.get("html")) == flow.PARTS


def test_flow_of_a_fusion_is_refused_in_a_sentence(home, monkeypatch):
    app = arrived("pipeline", section="flow", pipe="rrf(stem16 | gem + head32 | gem)")
    assert not app.exception and "compute" in keys(app)


def test_beta_changes_the_score_and_the_choice_follows_the_file(home):
    app = arrived("pipeline", section="select", beta="2.5")
    rankers = select.read(select.FILE)
    assert app.slider(key="beta").value == 2.5
    for beta in (2.5, -6.0):
        app.slider(key="beta").set_value(beta).run()
        a, b = rankers.best(beta)
        assert f"**{rankers.names[a]} + {rankers.names[b]}**" in words(app)
        spec = json.loads(app.main.get("plotly_chart")[1].proto.spec)
        x = [value for trace in spec["data"] for value in _floats(trace["x"])]
        assert np.isclose(sorted(x), sorted(rankers.scores(beta)[np.triu_indices(len(rankers.names), 1)])).all()


def _floats(values):
    if isinstance(values, dict):  # plotly's binary form
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return values


def test_missing_or_damaged_rankers_are_a_sentence(home, tmp_path, monkeypatch):
    monkeypatch.setattr(select, "FILE", tmp_path / "rankers.json")
    assert not arrived("pipeline", section="select").exception
    select.FILE.write_text("{}")
    app = arrived("pipeline", section="select")
    assert not app.exception and "rankers.json" in words(app)


def test_lesson_says_a_sentence(home, said):
    arrived("pipeline", lesson="1")
    assert len(said) == 1 and re.search(r"\d\.\d\d", said[0])


def test_foreign_names_are_escaped():
    cell = html.Cell("", "<script>&", True, None)
    text = html.ladder([html.Column("<b>", '"', [cell], {"<i>": "<u>"})], label='"', crisp=False)
    body = text.split("</style>")[1]
    assert "<script>" not in body and "<i>" not in body and "<u>" not in body and "&lt;b&gt;" in body


@pytest.fixture
def measurements(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "FOLDER", tmp_path)
    return tmp_path / "caltech101.jsonl"


def test_benchmarks_without_measurements_say_what_to_run(finished, measurements):
    app = opened("benchmarks", section="pipelines")
    assert not app.error and "pipeline compare" in words(app)


def test_benchmarks_show_each_measured_line(finished, measurements):
    pipeline = tc.Pipeline(editor.DEFAULT).fit("caltech101")
    lines = [tc.Pipeline(str(prefix)).fit("caltech101").evaluate() for prefix, _ in pipeline.line.prefixes()]
    measurements.write_text("".join(json.dumps(line) + "\n" for line in lines) + "broken")
    app = opened("benchmarks", section="pipelines")
    table = app.dataframe[0].value
    assert table["map_r"].tolist() == pytest.approx([line["map_r"] for line in lines], abs=1e-5)
    assert table["gain"].tolist()[1:] == pytest.approx(np.diff([line["map_r"] for line in lines]), abs=1e-5)
    gain = app.dataframe[1].value["Caltech-101, codes"]
    assert gain.tolist() == pytest.approx([lines[1]["map_r"] - lines[0]["map_r"]], abs=1e-5)
    assert {"pipelines csv", "pipelines md", "pipelines tex"} <= {
        button.proto.id.split("-")[-1] for button in app.main.get("download_button")
    }
