"""What takes labels as keywords, where it shows: Retrieval's words, Pipeline's stage."""

from tests.pages.conftest import opened, words
from tests.pages.test_retrieval import change_stored
from transclipped.retrieval.stages import NOTE
from transclipped.search.searcher import Searcher
from transclipped.ui.components import gallery
from transclipped.ui.retrieval import hits
from transclipped.ui.retrieval import words as section


def test_words_of_a_query_come_with_the_images_that_voted(finished, monkeypatch):
    drawn, draw = {}, gallery.draw

    def recorded(tiles, *, key, **rest):
        drawn[key] = [tile.id for tile in tiles]
        return draw(tiles, key=key, **rest)

    monkeypatch.setattr(gallery, "draw", recorded)
    app = opened("retrieval", section=hits.WORDS, query="3")
    assert not app.error and NOTE in words(app) and ":orange[" in "".join(e.value for e in app.markdown)
    searcher = Searcher(finished)
    found = searcher.search(searcher.stored.queries[3], top=section.K + 1)
    proposals = section.proposed(found, searcher.stored.database_labels)
    labels = {hit.row: searcher.stored.database_labels[hit.row] for hit in found}
    assert proposals and all(labels[row] == each.word for each in proposals for row in each.voters)
    ids = {hit.row: str(hit.id) for hit in found}
    for each in proposals[: section.WORDS]:
        assert drawn[f"voters {each.word}"] == [ids[row] for row in each.voters[: section.VOTERS]]


def test_words_are_absent_without_labels(finished):
    change_stored(finished, database_labels=None, query_labels=None)
    app = opened("retrieval", section=hits.WORDS)
    assert not app.exception and NOTE not in words(app)


def test_a_line_that_uses_labels_says_so_and_others_do_not(home):
    line = "run:hybrid-caltech101-32-clipped | propagate"
    app = opened("pipeline", pipe=line)
    assert not app.exception and not app.error
    assert NOTE in words(app) and "which no stage sees" not in words(app)
    html = "\n".join(each.proto.body for each in app.main if each.type == "html")
    assert f"This {NOTE}" in html
    assert any(NOTE in option for option in opened("pipeline").selectbox(key="pipe add").options)
