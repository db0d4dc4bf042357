"""Which pairs of stages are worth a sentence, and that lines of ours need none."""

import re

import pytest

import transclipped as tc
from transclipped.retrieval.advice import REBUILDING, advice
from transclipped.retrieval.line import presets
from transclipped.retrieval.stages import STAGES


def named(text):
    """For each sentence, the stages that it names."""
    sentences = advice(tc.Pipeline(text).line)
    assert all(sentence.endswith(".") and sentence[0] != " " for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
    return [{word for word in re.findall(r"[\w-]+", sentence) if word in STAGES} for sentence in sentences]


@pytest.mark.parametrize(
    ("line", "stages"),
    [
        ("l2 | float | flow | cprr", [{"flow", "cprr"}]),
        ("l2 | float | k-reciprocal | k-reciprocal", [{"k-reciprocal"}]),
        ("l2 | float | k-reciprocal | uair | flow", [{"k-reciprocal", "flow"}]),
        ("rrf(l2 + l2) | cprr | flow", [{"flow", "cprr"}]),
        ("l2 | float | k-reciprocal | qe", [{"k-reciprocal", "qe"}]),
        ("l2 | float | flow | exact | rocchio", [{"flow", "rocchio"}]),
        ("l2 | dba | float | aqe | flow", [{"dba", "aqe", "flow"}]),
        ("l2 | smooth | float | qe | flow", [{"smooth", "qe", "flow"}]),
        ("rrf(l2 | dba | float | qe + l2) | flow", [{"dba", "qe", "flow"}]),
        ("l2 | whiten | l2 | opq(16)", [{"opq", "whiten", "power"}]),
        ("l2 | whiten(1) | itq(16)", [{"itq", "whiten", "power"}]),
        ("power | pca(8) | l2", [{"pca", "l2"}]),
        ("l2 | svd(8) | pq(16)", [{"svd", "l2", "pq"}]),
        ("power | whiten | float | flow | cprr", [{"flow", "cprr"}, {"whiten", "l2"}, {"whiten", "float", "l2"}]),
    ],
)
def test_stages_that_repeat_or_undo_each_other_are_named(line, stages):
    assert sorted(named(line), key=sorted) == sorted(stages, key=sorted)


@pytest.mark.parametrize(
    "line",
    [
        "float",
        "l2 | dba | float | qe | k-reciprocal",
        "l2 | float | qe | flow",
        "l2 | dba | float | flow",
        "l2 | whiten(0.5) | l2 | opq(16)",
        "l2 | whiten | l2 | pq(16)",
        "standardise | whiten(0.5) | l2 | float",
        "l2 | opq(16) | rocchio | cprr",
        "pca(8) | l2",
        "l2 | pca(16) | itq(16)",
        "tpw(16) | pca(8) | l2",
        "cprr-fusion(l2 | float | flow + l2 | float | k-reciprocal) | cprr",
        "rrf(l2 | dba + l2 | float | qe) | flow",
    ],
)
def test_what_goes_well_together_gets_no_sentence(line):
    assert named(line) == []


def test_presets_need_no_advice_and_names_are_of_stages():
    assert {text: named(text) for text in presets().values() if named(text)} == {}
    assert {"mpfa", "utrl", "selective", "pyretri-caltech"} <= set(presets())
    assert all(STAGES[name].kind == "reranking" for name in REBUILDING)
