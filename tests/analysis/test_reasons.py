"""What a query and a hit share, against loops over their codes, and its sum against the score that search returns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped.analysis.hashes import fit_code
from transclipped.analysis.reasons import SIGNS, TREES, SharedBits, SharedLeaves, why
from transclipped.retrieval.coding.trees import leaves


def planted(n=120, d=24, seed=0):
    """Vectors around six centres, float32."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, d))
    return (centres[np.arange(n) % 6] + 0.6 * rng.normal(size=(n, d))).astype(np.float32)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_the_hamming_distance_counts_pairs_of_different_bits(pairs):
    query, item = (np.array(side) for side in zip(*pairs, strict=True))
    facts = SharedBits(query, item)
    different = [a != b for a, b in pairs]
    assert facts.equal.tolist() == [not one for one in different] and facts.distance == sum(different)
    assert facts.score == pytest.approx(sum(-1 if one else 1 for one in different) / len(pairs))


@given(st.integers(0, 8), st.booleans(), st.data())
def test_terms_of_trees_follow_from_the_spelled_leaves(depth, path, data):
    number = st.integers(0, 2**depth - 1)
    pairs = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=12))
    facts = SharedLeaves(*(np.array(side) for side in zip(*pairs, strict=True)), depth, path)
    alike = []
    for a, b in pairs:
        ways = [f"{leaf:0{depth}b}" if depth else "" for leaf in (a, b)]
        together = 0
        while together < depth and ways[0][together] == ways[1][together]:
            together += 1
        alike.append(together)
    assert facts.alike.tolist() == alike
    assert facts.same.tolist() == [a == b for a, b in pairs]
    for side in (0, 1):
        for t, leaf in enumerate(pairs):
            assert "".join(str(int(answer)) for answer in facts.answers[side, t]) == (
                f"{leaf[side]:0{depth}b}" if depth else ""
            )
    terms = alike if path and depth else [int(a == b) for a, b in pairs]
    assert facts.terms.tolist() == terms
    assert facts.score == pytest.approx(sum(terms) / (len(pairs) * (depth if path and depth else 1)))


@pytest.mark.parametrize("name", SIGNS)
@pytest.mark.parametrize("bits", [8, 16])
def test_bits_are_those_of_the_projections_and_give_the_score_of_search(name, bits):
    items, queries = planted(), planted(seed=1)
    if name == "lsh":  # learns nothing
        from transclipped.retrieval.coding.lsh import lsh

        index, options = lsh(items, bits=bits), {"bits": bits}
    else:
        code = fit_code(name, items, bits=bits)
        index, options = code.index, code.options
    for query in queries[:5]:
        result = index.search(index.embed(query[None]), len(items))
        for score, row in zip(result.scores[0][::17], result.rows[0][::17], strict=True):
            facts = why(name, index, query, int(row), options)
            assert len(facts.query) == len(facts.item) == bits
            assert facts.score == pytest.approx(float(score), abs=1e-6)
    if name != "lsh":
        for row in (0, 77):
            facts, state = why(name, index, queries[0], row, options), code.state
            for side, vector in ((facts.query, queries[0]), (facts.item, items[row])):
                projected = [
                    sum((float(v) - float(m)) * float(w) for v, m, w in zip(vector, state["mean"], column, strict=True))
                    for column in state["matrix"].T
                ]
                assert side.tolist() == [value >= 0 for value in projected]


@pytest.mark.parametrize(("depth", "score"), [(0, "leaf"), (0, "path"), (3, "leaf"), (5, "path"), (8, "path")])
def test_leaves_are_those_reached_and_give_the_score_of_search(depth, score):
    items, queries = planted(), planted(seed=1)
    code = fit_code(TREES, items, trees=7, depth=depth, score=score)
    reached, asked = leaves(items, code.state), leaves(queries, code.state)
    for number, query in enumerate(queries[:4]):
        scores, rows = code.hits(query, len(items))
        for value, row in zip(scores[::23], rows[::23], strict=True):
            facts = why(TREES, code.index, query, int(row), code.options)
            assert facts.query.tolist() == asked[number].tolist() and facts.item.tolist() == reached[row].tolist()
            assert facts.score == pytest.approx(float(value), abs=1e-6)


@pytest.mark.parametrize("name", [TREES, "udh", "itq"])
def test_an_item_alone_is_coded_as_in_a_database(name):
    others, query = planted(seed=2), planted(seed=1)[3]
    code = fit_code(name, planted(), **({} if name == TREES else {"bits": 16}))
    index = code.stage.function(others, code.state, **code.options)
    inside, alone = why(name, index, query, 50, code.options), code.why(query, others[50])
    assert inside.query.tolist() == alone.query.tolist() and inside.item.tolist() == alone.item.tolist()
    assert code.why(query, query).score == 1
