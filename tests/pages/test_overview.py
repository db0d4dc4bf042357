"""The Overview page: its drawing holds the run's numbers, and its links lead to other pages."""

import base64
import json
import re
from dataclasses import replace
from functools import partial

from tests.pages.conftest import absent, opened, words
from transclipped.analysis import benchmarks, story
from transclipped.analysis.headline import ELSEWHERE, headline
from transclipped.config import DataConfig
from transclipped.datasets.images.decode import open_image
from transclipped.datasets.registry import load
from transclipped.runs.run import RunDir
from transclipped.ui.overview import sections

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


def test_nonsense_for_an_image_shows_the_default(finished):
    first = html(overview())
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
    assert "(blue; orange: different classes;" in words(app)  # the colours of the histogram


def test_a_gain_on_a_backbone_trained_with_clipping_is_explained(finished, monkeypatch):
    def explained() -> bool:
        return sections.CLIPPED_BACKBONE in words(overview())

    monkeypatch.setattr(benchmarks, "without_clipping", lambda run, others: run)
    assert not explained()  # the test's backbone is another
    config = RunDir(finished).config
    bundled = replace(config, backbone=replace(config.backbone, name="hybrid-vit", weights=None, train="frozen"))
    monkeypatch.setattr(RunDir, "config", bundled)
    assert explained()
    monkeypatch.setattr(benchmarks, "without_clipping", lambda run, others: None)
    assert not explained()  # no gain is shown


def test_a_run_without_clipping_shows_what_clipping_reaches(finished, monkeypatch):
    value = f"{RunDir(finished).metrics()['modes']['asymmetric']['map']:.3f}"
    monkeypatch.setattr(benchmarks, "without_clipping", lambda run, others: None)
    assert f"in run tiny: {value}" not in words(overview())
    monkeypatch.setattr(benchmarks, "with_clipping", lambda run, others: run)
    app = overview()
    assert f"in run tiny: {value}" in words(app) and not app.metric[0].delta


def test_the_page_quotes_the_headline_and_names_imagenet(finished, home):
    app, pair = overview(), headline()
    assert f"{pair.without:.3f}</b>" in html(app) and f"{pair.clipped:.3f}</b>" in html(app)
    assert 'id="headline"' in html(app) and ELSEWHERE in words(app)
    assert "ImageNet" in html(app) and app.title[0].value == "TransClipped"


def test_the_strip_shows_the_negatives_of_the_image(finished):
    stored = RunDir(finished).retrieval()
    expected = story.negatives(stored, 4, story.pairs(stored).border)
    drawing = html(overview(picture="4"))
    classes = re.findall(r'<figure class="negative (\w+)( clipped)?"', drawing)
    assert [(kind == "same", bool(cut)) for kind, cut in classes] == list(
        zip(expected.same, expected.clipped, strict=True)
    )


def test_play_again_draws_the_strip_again(finished):
    app = overview()
    before = html(app)
    app.button(key="again").click().run()
    assert html(app) != before and not app.exception


def test_without_a_run_the_page_introduces_the_idea_and_checks_the_machine(home):
    app = overview()
    assert 'id="headline"' in html(app) and "ImageNet" in html(app)
    assert "Processor cores" in words(app)


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
    assert "times as often" not in text and "mostly false" not in text


def test_similar_pairs_are_called_false_negatives_only_where_most_are():
    def text(share: float, top: float) -> str:
        return sections._pairs_text(story.Pairs(*[None] * 4, share, top, 500, 6000))

    assert "mostly false" in text(0.1, 0.6) and "6 times as often" in text(0.1, 0.6)
    assert "mostly false" not in text(0.02, 0.3) and "15 times as often" in text(0.02, 0.3)
    assert "times" not in text(0.3, 0.2)  # where similarity says nothing


def test_the_claim_that_similar_pairs_are_mostly_false_needs_enough_queries_and_to_be_true():
    def pairs(**changes):
        values = {"share": 0.1, "top_share": 0.6, "n_queries": story.LEAST, "n_top": 247}
        return story.Pairs(*[None] * 4, **(values | changes))

    assert pairs().tells
    assert not pairs(n_queries=story.LEAST - 1).tells
    assert not pairs(top_share=0.1).tells
    assert not pairs(share=None, top_share=None).tells
