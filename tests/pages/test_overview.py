"""The Overview page: its drawing holds the run's numbers, and its doors lead somewhere."""

import base64
import json
import re
from dataclasses import replace

from tests.pages.conftest import opened, words
from transclipped.analysis import benchmarks, story
from transclipped.runs.run import RunDir


def drawn(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def test_the_drawing_holds_the_code_of_the_images_own_embedding(finished):
    for number in (0, 7):
        text = drawn(opened("overview", picture=str(number)))
        told = story.story(RunDir(finished).retrieval(), number)
        boxes = re.search(r'class="bytes">(.*?)</div>', text)[1]
        assert [int(byte) for byte in re.findall(r"<span>(\d+)</span>", boxes)] == told.code.tolist()
        assert f"codeword {told.code[0]}, cosine {told.cosine[0]:.2f}" in text


def test_the_image_is_the_one_that_the_address_names(finished):
    from transclipped.config import DataConfig
    from transclipped.datasets.registry import load

    identity = int(RunDir(finished).retrieval().query_ids[3])
    image = load(DataConfig(dataset="cifar10")).image(identity)
    shown = re.search(r'width="128" src="data:image/png;base64,([^"]+)"', drawn(opened("overview", picture="3")))[1]
    from transclipped.datasets.images.decode import open_image

    large = open_image(base64.b64decode(shown))
    assert large.resize((32, 32), 0).tobytes() == image.tobytes()  # whole multiples of its pixels


def test_nonsense_for_an_image_shows_the_first(finished):
    assert drawn(opened("overview", picture="mountain")) == drawn(opened("overview", image="0"))
    assert drawn(opened("overview", picture="99999")) == drawn(opened("overview", image="0"))
    assert "**99999**" in words(opened("overview", picture="99999"))


def test_another_image_is_one_of_the_run(finished):
    app = opened("overview")
    app.button(key="another").click().run()
    assert not app.exception
    number = app.query_params["picture"]
    assert int(number[0] if isinstance(number, list) else number) < len(RunDir(finished).retrieval().queries)


def test_key_figures_are_the_measured_ones(finished):
    values = [metric.value for metric in opened("overview").metric]
    metrics = RunDir(finished).metrics()
    assert values[0] == f"{metrics['modes']['asymmetric']['map']:.3f}"
    assert values[1] == "4 bytes"


def test_colours_of_the_histogram_are_named(finished):
    assert "of one class (blue; orange: of different ones)" in words(opened("overview"))


def test_a_gain_on_a_backbone_that_was_trained_with_clipping_says_so(finished, monkeypatch):
    def said() -> str:
        return opened("overview").metric[0].help

    monkeypatch.setattr(benchmarks, "without_clipping", lambda run, others: run)
    assert "itself trained with clipping" not in said()  # the test's backbone is another
    config = RunDir(finished).config
    bundled = replace(config, backbone=replace(config.backbone, name="hybrid-vit", weights=None, train="frozen"))
    monkeypatch.setattr(RunDir, "config", bundled)
    assert "itself trained with clipping" in said()
    monkeypatch.setattr(benchmarks, "without_clipping", lambda run, others: None)
    assert "itself trained with clipping" not in said()  # no gain is shown


def test_embedding_and_projection_are_called_as_on_anatomy(finished):
    text, m_d = drawn(opened("overview")), RunDir(finished).retrieval().queries.shape[1]
    assert "</i>Projection<" in text and "</i>Embedding<" not in text
    assert f"projects to {m_d} numbers" in text


def test_without_a_run_the_page_still_says_what_this_is_and_checks_the_machine(home):
    said = words(opened("overview"))
    assert "without a single label" in said
    assert "Processor cores" in said


def test_speed_is_measured_when_asked(finished):
    app = opened("overview")
    assert "images per second" not in words(app)
    app.button(key="speed").click().run()
    assert not app.exception
    assert "images per second" in words(app)


def few(run, n: int) -> None:
    """Keep the first n queries of a run, and its smallest database."""
    stored = RunDir(run).retrieval()
    cut = {name: getattr(stored, name)[:n] for name in ("queries", "query_ids", "query_labels")}
    replace(stored, **cut).save(run / "retrieval.npz")
    metrics = json.loads((run / "metrics.json").read_text())
    metrics |= {"n_queries": n, "n_queries_stored": n, "n_database": 72, "seconds": {"training": 0.3}}
    (run / "metrics.json").write_text(json.dumps(metrics))


def test_numbers_of_a_handful_are_not_read_for_more(finished):
    few(finished, 8)
    app = opened("overview")
    said = words(app)
    assert "288 bytes" in said and "less than a second" in said and "8 queries" in said
    assert re.search(r"Of all pairs \d+ of 28 are", said) and re.search(r"\d of 2\.", said)
    assert "most likely false" not in said


def test_the_claim_that_similar_pairs_are_mostly_false_needs_enough_queries_and_to_be_true():
    def pairs(**changed):
        values = {"share": 0.1, "top_share": 0.6, "n_queries": story.LEAST, "n_top": 247}
        return story.Pairs(*[None] * 4, **(values | changed))

    assert pairs().tells
    assert not pairs(n_queries=story.LEAST - 1).tells
    assert not pairs(top_share=0.1).tells
    assert not pairs(share=None, top_share=None).tells
