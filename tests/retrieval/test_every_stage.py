"""What holds for every stage on vectors, in a whole pipeline: ugly databases, queries and options."""

import numpy as np
import pytest

import transclipped as tc
from tests.retrieval.clustered import clustered, flat
from transclipped.errors import InputError
from transclipped.retrieval.index import FlatIndex, Hits
from transclipped.retrieval.keywords import keywords
from transclipped.retrieval.line import load_methods, parse
from transclipped.retrieval.stages import STAGES, Collection

load_methods()
OURS = {name: s for name, s in STAGES.items() if s.function.__module__.startswith("transclipped.retrieval.")}
ON_VECTORS = ("transform", "augmentation", "coding", "reranking", "fusion")
NEEDY = {"tpw", *(name for name, s in OURS.items() if s.uses_labels)}  # need a second data set or labels
SMALL = {"bits": 8, "trees": 5, "rounds": 2, "dim": 3}  # so that each stage is quick, and fits vectors of 8 numbers
BEFORE = {"filter": "stem16 | ", "aggregation": "stem16 | ", "reranking": "float | "}  # what a stage needs before it


def line_of(name):
    """The shortest line on vectors with a stage."""
    kind, options = OURS[name].kind, OURS[name].options
    if kind == "fusion":
        return f"{name}(l2 + l2 | power)"
    given = ", ".join(f"{option}={SMALL[option]}" for option in options if option in SMALL)
    return f"{BEFORE.get(kind, '')}{name}({given})"


LINES = {name: line_of(name) for name, s in OURS.items() if s.kind in ON_VECTORS and name not in NEEDY}
ITEMS, QUERIES = clustered(40)
DATABASES = {
    "one item": ITEMS[:1],
    "two": ITEMS[:2],
    "fewer than k": ITEMS[:7],
    "duplicates": np.repeat(ITEMS[:3], 4, axis=0),
    "all equal": np.ones((12, 8), np.float32),
    "zeros": np.zeros((12, 8), np.float32),
    "some zeros": np.concatenate([np.zeros((3, 8), np.float32), ITEMS[:20]]),
    "float16": ITEMS.astype(np.float16),
    "not contiguous": np.asfortranarray(np.repeat(ITEMS, 2, axis=1)[:, ::2]),
    "tiny": ITEMS * np.float32(1e-20),
    "large": ITEMS * np.float32(1e15),
}
each = pytest.mark.parametrize("name", LINES)


@each
@pytest.mark.parametrize("database", DATABASES)
def test_ugly_databases_give_distinct_hits_or_a_sentence(name, database):
    x = DATABASES[database]
    try:
        hits = tc.Pipeline(LINES[name]).fit(x).search(QUERIES, k=10)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
        assert database in ("one item", "two", "fewer than k", "large"), error
        return
    assert hits.rows.shape == hits.scores.shape == (5, min(10, len(x)))
    assert np.isfinite(hits.scores).all()
    assert all(len({*rows}) == len(rows) and {*rows} <= {*range(len(x))} for rows in hits.rows.tolist())


@each
def test_an_empty_database_gives_no_hits_or_a_sentence(name):
    try:
        assert tc.Pipeline(LINES[name]).fit(ITEMS[:0]).search(QUERIES).rows.shape == (5, 0)
    except InputError as error:
        assert "\n" not in str(error)


@each
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused(name, wrong):
    bad = QUERIES.copy()
    bad[2, 3] = wrong
    fitted = tc.Pipeline(LINES[name]).fit(ITEMS)
    with pytest.raises(InputError, match="NaN"):
        fitted.search(bad)
    with pytest.raises(InputError, match="NaN"):
        tc.Pipeline(LINES[name]).fit(bad)


@each
def test_queries_of_another_width_are_refused_and_of_another_type_are_not(name):
    fitted = tc.Pipeline(LINES[name]).fit(ITEMS)
    with pytest.raises(InputError):
        fitted.search(np.ones((2, 9), np.float32))
    half = QUERIES.astype(np.float16)
    expected = fitted.search(half.astype(np.float32))
    for other in (half, half.astype(np.float64), np.asfortranarray(half), np.repeat(half, 2, axis=0)[::2]):
        np.testing.assert_array_equal(fitted.search(other).rows, expected.rows)
    assert fitted.search(QUERIES[:0]).rows.shape == (0, 10)


BOUNDED = [(name, option) for name, s in OURS.items() for option in s.bounds]


@pytest.mark.parametrize(("name", "option"), BOUNDED)
def test_options_out_of_range_are_refused_by_name(name, option):
    bounds, kind = OURS[name].bounds[option], OURS[name].kind
    wrong = ["no-such"] if isinstance(bounds[0], str) else [bounds[0] - 1, bounds[1] + 1]
    branches = "l2 + l2, " if kind == "fusion" else ""
    after = " | mean" if kind == "filter" else ""
    for value, refused in [*((w, True) for w in wrong), (bounds[0], False), (bounds[-1], False)]:
        line = f"{BEFORE.get(kind, '')}{name}({branches}{option}={value}){after}"
        if refused:
            with pytest.raises(InputError, match=option):
                tc.Pipeline(line)
        else:
            assert f"{option}={value}" in str(tc.Pipeline(line))


RERANKERS = [name for name, s in OURS.items() if s.kind == "reranking"]


@pytest.mark.parametrize("name", RERANKERS)
def test_hits_of_another_database_or_of_other_queries_are_refused(name):
    hits, collection = flat(ITEMS, QUERIES)
    rerank = OURS[name].function
    for rows in (hits.rows + 40, hits.rows - 50):
        with pytest.raises(InputError):
            rerank(Hits(hits.scores, rows), collection)
    with pytest.raises(InputError):
        rerank(Hits(hits.scores[:3], hits.rows[:3]), collection)


def test_a_state_of_another_width_is_refused():
    for s in OURS.values():
        if s.kind in ("transform", "coding") and s.fit is not None and not s.needs:
            small = {option: SMALL[option] for option in s.options if option in SMALL}
            state = s.fit(ITEMS, **small)
            with pytest.raises(InputError):
                s.function(np.ones((3, 9), np.float32), state, **small)


def test_a_long_line_an_unknown_stage_and_a_wrong_place_are_refused():
    for line, named in (
        ("l2 | " * 20_000 + "float", "100,005"),
        ("l2 | folat", "float"),
        ("float | l2", "l2"),
        ("l2 | pq | opq", "opq"),
        ("l2 | dba | pca | float", "pca"),
        ("gem | l2", "gem"),
        ("l2 | qe | pq", "pq"),
    ):
        with pytest.raises(InputError, match=named):
            parse(line)


def test_a_database_whose_memo_is_shared_gives_equal_hits():
    """One database, several collections: what a method keeps of the database must not depend on the queries."""
    memo, words = {}, keywords(np.arange(len(ITEMS)) % 5)
    for name in RERANKERS:
        for part in (slice(0, 2), slice(2, 5), slice(0, 5)):
            index = FlatIndex(ITEMS, codebooks=1)
            given = {"floats": (QUERIES[part], ITEMS), "keywords": words}
            shared = Collection(index, QUERIES[part], memo=memo, **given)
            alone = Collection(index, QUERIES[part], **given)
            hits = [OURS[name].function(c.search(c.queries, 20), c) for c in (shared, alone)]
            np.testing.assert_array_equal(hits[0].rows, hits[1].rows, err_msg=name)
