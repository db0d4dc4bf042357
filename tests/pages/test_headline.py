"""The headline is one sentence, the same on every page that quotes it, and its words explain themselves."""

import re
from html import unescape

import pytest

from tests.pages.conftest import opened
from transclipped.analysis.headline import ELSEWHERE, headline
from transclipped.ui import headline as ui
from transclipped.ui.glossary import TERMS

PAGES = ("overview", "benchmarks")


def bodies(app) -> list[str]:
    return [element.proto.body for element in app.get("html") if 'id="headline"' in element.proto.body]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_the_headline_once(finished, page):
    app = opened(page)
    (body,) = bodies(app)
    bare = re.sub(r'<style>.*?</style>|<span class="term-meaning".*?</span>', "", body, flags=re.S)
    assert unescape(re.sub(r"<[^>]+>", "", bare)) == headline().sentence
    assert TERMS["mAP@K"] in unescape(body)
    assert [caption.value for caption in app.caption].count(ELSEWHERE) == 1


def test_without_the_study_nothing_is_drawn(finished, monkeypatch):
    monkeypatch.setattr(ui, "pair", lambda: None)
    monkeypatch.setattr(ui, "inverted_u", lambda: None)
    for page in ("overview", "benchmarks"):
        assert not bodies(opened(page))


def bridges(app) -> list[str]:
    """Sentences that say what differs between values without clipping."""
    texts = [element.value for element in (*app.caption, *app.success)]
    return [text for text in texts if "depends on the setting" in text]


@pytest.mark.parametrize(
    ("page", "query", "values"),
    [
        ("overview", {}, ("0.629", "0.470")),
        ("clipping", {"clip_tau": "0.2"}, ("0.629", "0.420", "0.554")),
        ("clipping", {"look": "sweep"}, ("0.629", "0.470")),
        ("benchmarks", {"section": "study"}, ("0.629", "0.554", "0.594")),
    ],
)
def test_values_without_clipping_that_meet_on_a_page_are_told_apart(finished, page, query, values):
    (text,) = bridges(opened(page, **query))
    assert all(value in text for value in values) and "τ = 0.5" in text


def test_a_finished_run_says_how_it_differs_from_the_headline(finished):
    (text,) = bridges(opened("train", watch=finished.name))
    pair = headline()
    assert f"{pair.without:.3f} → {pair.clipped:.3f}" in text and "200 images" in text
