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
