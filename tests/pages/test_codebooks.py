"""The Codebooks page shows the library's numbers, for one run and for two."""

import shutil

import numpy as np
import pytest

from tests.pages.conftest import arrived, opened, words
from transclipped.analysis import codebooks as cb
from transclipped.analysis import hashes
from transclipped.analysis.overlap import Overlap, in_words, overlap
from transclipped.analysis.reasons import why
from transclipped.features import labset
from transclipped.retrieval.store import Retrieval
from transclipped.retrieval.vectors import unit
from transclipped.runs.run import RunDir
from transclipped.ui import reasons
from transclipped.ui.codebooks.codeword import sentence
from transclipped.ui.codebooks.sections import verdict


def metrics(app, label: str) -> list[str]:
    return [m.value for m in app.metric if m.label.startswith(label)]


def test_metrics_are_those_of_the_library(finished):
    stored = RunDir(finished).retrieval()
    use = cb.usage(stored.codes, 256)
    app = opened("codebooks", section="use")
    assert not app.error
    assert metrics(app, "Perplexity") == [f"{use.perplexity.mean():.1f}"]
    assert metrics(app, "Dead") == [f"{use.dead.sum():,}"]
    assert metrics(app, "Crowded") == [f"{use.crowded.sum():,}"]
    error = cb.quantization_error(stored.queries, stored.codebooks)
    assert metrics(opened("codebooks", section="cost"), "Quantization error") == [f"{error.whole.mean():.4f}"]
    app = opened("codebooks", section="word")
    assert metrics(app, "Purity") and "labels" in words(app)


@pytest.mark.parametrize(
    ("address", "section", "heading"),
    [
        ({}, "word", "stand for"),
        ({"section": "use"}, "use", "evenly"),
        ({"section": "word"}, "word", "stand for"),
        ({"section": "alike"}, "alike", "codewords"),
        ({"section": "pairs"}, "pairs", "codebooks"),
        ({"section": "Codebook dependence"}, "pairs", "codebooks"),
        ({"section": "nonsense"}, "word", "stand for"),
        ({"epochs": "true"}, "use", "evenly"),  # a link from when this section was the first
        ({"codebook": "2"}, "word", "stand for"),  # a link from before there were sections
        ({"codeword": "9", "section": "cost"}, "cost", "cost"),
    ],
)
def test_the_address_opens_a_section(finished, address, section, heading):
    app = opened("codebooks", **address)
    assert not app.error
    assert app.segmented_control(key="section").value == section
    assert heading in app.header[0].value


def test_another_section_opens_although_the_address_names_a_codebook(finished):
    app = opened("codebooks", codebook="2")
    assert app.segmented_control(key="codebook").value == 2
    app.segmented_control(key="section").set_value("use").run()
    assert metrics(app, "Perplexity") and not metrics(app, "Purity")


def test_the_images_of_the_selected_codeword_are_counted_and_a_dead_one_is_named(finished):
    codes = RunDir(finished).retrieval().codes[:, 1]
    app = opened("codebooks", codebook="2")
    most = int(np.bincount(codes, minlength=256).argmax())
    app.segmented_control(key="codebook").set_value(2).run()
    app.number_input(key="codeword").set_value(most).run()
    assert f"of the {(codes == most).sum():,} database images with codeword {most} in codebook 2" in words(app)
    dead = int(np.bincount(codes, minlength=256).argmin())
    app.number_input(key="codeword").set_value(dead).run()
    assert any(str(dead) in info.value for info in app.info)
    assert not app.exception


def test_two_runs_are_shown_side_by_side(finished, home):
    shutil.copytree(finished, home / "other")
    app = opened("codebooks", section="use")
    other = next(name for name in app.selectbox(key="beside").options if name in ("tiny", "other"))
    app.selectbox(key="beside").set_value(other).run()
    assert len(metrics(app, "Perplexity")) == 2
    for section in ("word", "alike", "pairs", "cost"):
        app.segmented_control(key="section").set_value(section).run()
        assert not app.exception and not app.error
        assert app.selectbox(key="beside").value == other
    assert len(metrics(app, "Quantization error")) == 2


def test_a_run_with_fewer_codebooks_says_which_are_missing(finished, home):
    shutil.copytree(finished, home / "small")
    stored = RunDir(finished).retrieval()
    values = vars(stored) | {
        "codebooks": stored.codebooks[:1, :16],
        "codes": stored.codes[:, :1] % 16,
        "queries": stored.queries[:, : stored.codebooks.shape[2]],
    }
    Retrieval(**values).save(home / "small" / "retrieval.npz")
    app = opened("codebooks", section="word")
    app.selectbox(key="run").set_value("tiny").run()
    app.selectbox(key="beside").set_value("small").run()
    app.segmented_control(key="codebook").set_value(3).run()
    for section in ("word", "alike"):
        app.segmented_control(key="section").set_value(section).run()
        assert not app.exception and not app.error
        assert [info for info in app.info if "small" in info.value and "3" in info.value]
    app.segmented_control(key="section").set_value("pairs").run()
    assert not app.exception and not app.error
    assert [info for info in app.info if "small" in info.value]


def test_a_run_without_labels_shows_no_classes(finished):
    stored = RunDir(finished).retrieval()
    Retrieval(**vars(stored) | {"database_labels": None, "query_labels": None}).save(finished / "retrieval.npz")
    app = opened("codebooks", section="word")
    assert not app.exception and not app.error
    assert not metrics(app, "Purity") and "labels" not in words(app)


def test_perplexity_by_epoch_is_shown(finished):
    app = opened("codebooks", section="use")
    app.toggle(key="epochs").set_value(True).run()
    assert not app.exception and not app.error
    assert "200 database images" in words(app)


def test_nonsense_in_the_address_is_ignored(finished):
    app = opened("codebooks", codebook="-3", codeword="9999", beside="gone", epochs="perhaps")
    assert not app.error
    assert app.selectbox(key="beside").value == "no other run"


def test_the_page_opens_with_a_codeword_and_its_images(finished, monkeypatch):
    from transclipped.ui.components import gallery

    drawn, draw = {}, gallery.draw

    def recorded(tiles, *, key, **rest):
        drawn[key.split()[0]] = [tile.id for tile in tiles]
        return draw(tiles, key=key, **rest)

    monkeypatch.setattr(gallery, "draw", recorded)
    app = opened("codebooks")
    stored = RunDir(finished).retrieval()
    word = int(np.bincount(stored.codes[:, 0], minlength=256).argmax())
    assert app.number_input(key="codeword").value == word
    rows = cb.members(stored.codes[:, 0], word, 24)
    assert drawn["members"] == [str(name) for name in stored.database_ids[rows]]


def test_the_overlap_has_a_verdict_with_the_librarys_numbers(finished):
    stored = RunDir(finished).retrieval()
    result = overlap(cb.dependence(stored.codes, 256), stored.codes, stored.database_labels)
    text = words(opened("codebooks", section="pairs"))
    assert f"{result.entropy:.1f} bits" in text and f"{result.shared:.1f} bits" in text
    assert in_words(result.share) in text and f"{result.class_entropy:.1f} bits" in text


@pytest.mark.parametrize(
    ("result", "parts", "missing"),
    [
        (Overlap(6, 3), ["about half", "3.0 bits"], ["class"]),
        (Overlap(6, 3, None, np.log2(10), 10), ["log₂ 10 = 3.3 bits"], ["of one class"]),
        (Overlap(6, 3, None, 2.0, 10), ["would be 2.0 bits"], ["log₂"]),  # classes of different sizes
        (Overlap(6, 3, 1.5, np.log2(10), 10), ["share 1.5 bits", "50%"], []),
    ],
)
def test_the_verdict_says_what_is_known(result, parts, missing):
    text = verdict(result)
    assert all(part in text for part in parts) and not any(part in text for part in missing)


def test_many_codebooks_are_chosen_by_number(finished):
    stored = RunDir(finished).retrieval()
    values = vars(stored) | {
        "codebooks": np.repeat(stored.codebooks, 4, axis=0)[:, :, :16],
        "codes": np.repeat(stored.codes, 4, axis=1),
    }
    Retrieval(**values | {"queries": np.repeat(stored.queries, 4, axis=1)[:, : 16 * 16]}).save(
        finished / "retrieval.npz"
    )
    app = opened("codebooks", codebook="16")
    assert not app.exception and app.number_input(key="codebook").value == 16


def test_the_sentence_of_a_codeword_is_true(finished):
    assert "75%" in sentence(np.array([1, 3]), ["cat", "dog"], 7) and "*dog*" in sentence(
        np.array([1, 3]), ["cat", "dog"], 7
    )
    assert "mixes" in sentence(np.array([2, 2, 1]), ["cat", "dog", "*frog*"], 7)


@pytest.mark.parametrize("section", ["word", "use", "alike", "pairs", "cost"])
def test_a_lesson_has_a_sentence_to_say_and_folds_the_choice_of_a_second_run(finished, section, said):
    arrived("codebooks", section=section)
    assert not said
    app = arrived("codebooks", section=section, lesson="1")
    assert not app.error and len(said) == 1 and said[0] in words(app)
    assert app.expander[0].label == "Compare" and app.expander[0].selectbox[0].key == "beside"


@pytest.mark.parametrize("name", ["trees", "udh"])
def test_hashes_explain_a_hit_by_trees_or_bits(finished, name):
    app = opened("codebooks", section="hashes", hash=name, hash_query="3", hash_hit="2")
    assert not app.error and not app.exception
    lab = labset.load()
    code, query = hashes.hashed(name, lab), unit(lab.query_features)[3]
    facts = why(name, code.index, query, int(code.hits(query, 2)[1][1]), code.options)
    assert reasons.sentence(facts) in words(app)
    drawn = "".join(element.proto.body for element in app.get("html"))
    if name == "trees":
        tree = int(facts.alike.argmax())
        assert app.number_input(key="tree").value == tree + 1
        asked, leaf = hashes.questions(code.state, code.items, tree, facts.answers[0, tree])
        assert drawn.count('aria-label="Question ') == 2 * len(asked) and f"leaf: {len(leaf)} images" in words(app)
    else:
        assert drawn.count('class="differ"') == facts.distance
        assert "purity" in words(app) and app.header[-1].value == "Pseudo-classes"


def test_a_link_with_a_tree_opens_it(finished):
    app = opened("codebooks", tree="7", hash_hit="2")
    assert app.segmented_control(key="section").value == "hashes"
    assert app.number_input(key="tree").value == 7 and app.number_input(key="hash_hit").value == 2


def test_another_hit_shows_its_own_tree(finished):
    lab = labset.load()
    code, query = hashes.hashed("trees", lab), unit(lab.query_features)[3]
    rows = code.hits(query, 8)[1].tolist()
    own = [int(why("trees", code.index, query, row, code.options).alike.argmax()) + 1 for row in rows]
    other = next(hit for hit, tree in enumerate(own, 1) if tree != own[0])
    app = opened("codebooks", section="hashes", hash_query="3")
    assert app.number_input(key="tree").value == own[0]
    for hit in (other, 1, other):
        app.number_input(key="hash_hit").set_value(hit).run()
        assert not app.exception and app.number_input(key="tree").value == own[hit - 1]
        app.number_input(key="tree").set_value(100).run()
        assert app.number_input(key="tree").value == 100
