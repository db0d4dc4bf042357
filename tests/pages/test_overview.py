"""The Overview page: its drawing holds the run's numbers, and its links lead to other pages."""

import base64
import json
import re
from dataclasses import replace
from functools import partial

from tests.pages.conftest import absent, opened, words
from transclipped.analysis import benchmarks, story
from transclipped.config import DataConfig
from transclipped.datasets.images.decode import open_image
from transclipped.datasets.registry import load
from transclipped.runs.run import RunDir

overview = partial(opened, "overview")


def html(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def test_the_drawing_holds_the_code_of_the_images_embedding(finished):
    stored = RunDir(finished).retrieval()
    for number in (0, 7):
        text, expected = html(overview(picture=str(number))), story.story(stored, number)
        boxes = re.search(r'class="bytes">(.*?)</div>', text)[1]
        assert [int(byte) for byte in re.findall(r"<span>(\d+)</span>", boxes)] == expected.code.tolist()
        assert f"codeword {expected.code[0]}, cosine {expected.cosine[0]:.2f}" in text
    assert "</i>Projection<" in text and "</i>Embedding<" not in text  # as on Anatomy
    assert f"projects to {stored.queries.shape[1]} numbers" in text


def test_the_address_names_the_image(finished):
    identity = int(RunDir(finished).retrieval().query_ids[3])
    image = load(DataConfig(dataset="cifar10")).image(identity)
    source = re.search(r'width="128" src="data:image/png;base64,([^"]+)"', html(overview(picture="3")))[1]
    large = open_image(base64.b64decode(source))
    assert large.resize((32, 32), 0).tobytes() == image.tobytes()  # whole multiples of its pixels


def test_nonsense_for_an_image_shows_the_first(finished):
    first = html(overview(picture="0"))
    for value in ("mountain", "99999"):
        app = overview(picture=value)
        assert html(app) == first
        assert absent(app) == {"picture"} and f"**{value}**" in words(app)


def test_another_image_is_one_of_the_run(finished):
    app = overview()
    app.button(key="another").click().run()
    assert not app.exception
    number = app.query_params["picture"]
    assert int(number[0] if isinstance(number, list) else number) < len(RunDir(finished).retrieval().queries)


def test_key_figures_are_the_measured_ones(finished):
    app, metrics = overview(), RunDir(finished).metrics()
    assert app.metric[0].value == f"{metrics['modes']['asymmetric']['map']:.3f}"
    assert app.metric[1].value == "4 bytes"
    assert "(blue; orange: different classes)" in words(app)  # the colours of the histogram


def test_a_gain_on_a_backbone_trained_with_clipping_is_explained(finished, monkeypatch):
    def explained() -> bool:
        return "itself trained with clipping" in overview().metric[0].help

    monkeypatch.setattr(benchmarks, "without_clipping", lambda run, others: run)
    assert not explained()  # the test's backbone is another
    config = RunDir(finished).config
    bundled = replace(config, backbone=replace(config.backbone, name="hybrid-vit", weights=None, train="frozen"))
    monkeypatch.setattr(RunDir, "config", bundled)
    assert explained()
    monkeypatch.setattr(benchmarks, "without_clipping", lambda run, others: None)
    assert not explained()  # no gain is shown


def test_without_a_run_the_page_introduces_the_idea_and_checks_the_machine(home):
    text = words(overview())
    assert "without a single label" in text
    assert "Processor cores" in text


def test_speed_is_measured_on_demand(finished):
    app = overview()
    assert "images per second" not in words(app)
    app.button(key="speed").click().run()
    assert not app.exception
    assert "images per second" in words(app)


def test_few_queries_are_given_as_counts_without_a_claim(finished):
    stored, metrics = RunDir(finished).retrieval(), json.loads((finished / "metrics.json").read_text())
    first = {name: getattr(stored, name)[:8] for name in ("queries", "query_ids", "query_labels")}
    replace(stored, **first).save(finished / "retrieval.npz")
    metrics |= {"n_queries": 8, "n_queries_stored": 8, "n_database": 72, "seconds": {"training": 0.3}}
    (finished / "metrics.json").write_text(json.dumps(metrics))
    text = words(overview())
    assert "288 bytes" in text and "less than a second" in text and "8 queries" in text
    assert re.search(r"Of all pairs \d+ of 28 share", text) and re.search(r"\d of 2\.", text)
    assert "most likely false" not in text


def test_the_claim_that_similar_pairs_are_mostly_false_needs_enough_queries_and_to_be_true():
    def pairs(**changes):
        values = {"share": 0.1, "top_share": 0.6, "n_queries": story.LEAST, "n_top": 247}
        return story.Pairs(*[None] * 4, **(values | changes))

    assert pairs().tells
    assert not pairs(n_queries=story.LEAST - 1).tells
    assert not pairs(top_share=0.1).tells
    assert not pairs(share=None, top_share=None).tells
