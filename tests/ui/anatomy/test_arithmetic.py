"""The arithmetic that numbers unfold leads to the numbers that are shown."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped.analysis import anatomy
from transclipped.ui.anatomy import arithmetic, html

NUMBER = r"\(?(−?\d+\.\d+)\)?"


def numbers(text: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in re.findall(NUMBER, text)]


def unit(rng, *shape):
    x = rng.normal(size=shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


@given(seed=st.integers(0, 99), d=st.integers(2, 16))
def test_written_products_add_up_to_the_cosine(seed, d):
    one, other = unit(np.random.default_rng(seed), 2, d)
    terms, total = arithmetic.cosine(anatomy.products(one, other)).split(" = ")
    assert len(numbers(terms)) == d
    assert sum(numbers(terms)) == pytest.approx(numbers(total)[0], abs=0.0005 * (d + 1))
    assert numbers(total)[0] == pytest.approx(float(sum(a * b for a, b in zip(one, other, strict=True))), abs=0.0006)


def test_of_a_long_vector_the_first_products_are_written():
    text = arithmetic.cosine(np.full(64, 1 / 64))
    assert text.count("0.016") == arithmetic.MOST and f"({64 - arithmetic.MOST} more)" in text
    assert numbers(text)[-1] == 1


@pytest.mark.parametrize("alpha", [1.0, 10.0, 100.0])
def test_a_softmax_weight_is_the_share_of_its_codeword(alpha):
    rng = np.random.default_rng(3)
    x, codebook = unit(rng, 16), unit(rng, 32, 16)
    cosines = [sum(float(a) * float(b) for a, b in zip(x, word, strict=True)) for word in codebook]
    total = sum(math.exp(alpha * cosine) for cosine in cosines)
    assigned = anatomy.assign(x[None], codebook[None], alpha)
    for word in range(32):
        parts = anatomy.softmax_weight(x, codebook, word, alpha)
        assert parts.share == pytest.approx(math.exp(alpha * cosines[word]) / total, rel=1e-9)
        assert parts.share == pytest.approx(assigned.p[0, word], rel=1e-9)
        assert 0 <= parts.power <= 1 <= parts.total <= 32
        assert arithmetic.weight(parts, alpha).endswith(f"= {assigned.p[0, word]:.1%}")


def test_a_term_is_a_share_of_the_cosine():
    assert arithmetic.term(-0.5, 4) == "−0.500 / 4 = −0.125"
    assert arithmetic.term(-0.0001, 4) == "0.000 / 4 = 0.000"  # no −0.000


def test_each_term_of_a_score_and_each_codeword_unfolds():
    terms = [html.Term(0.2, 7, "its cosine", "its share"), html.Term(-0.1, 3, "another", "and its share")]
    drawn = html.total(terms, 0.1)
    assert drawn.count("<details>") == 2 and re.findall(r"<b>(-?[\d.]+)</b>", drawn) == ["0.200", "-0.100", "0.100"]
    words = [html.Word(9, 0.7, ["data:x"], True, "the cosine", "the weight"), html.Word(4, 0.1, [], False)]
    card = html.candidates(1, words, rest=0.2, others=254, bits=1.0, crisp=False)
    assert card.count("<details") == 2 and "the cosine" in card and "the weight" in card
    assert 'aria-label="1 image of codeword 9"' in card
