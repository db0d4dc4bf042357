"""The arithmetic of a number on the Anatomy page, in words: a cosine, a softmax weight, a term of a score."""

from __future__ import annotations

import numpy as np

from transclipped.analysis.anatomy import SoftmaxWeight

MOST = 16  # products that are written out


def cosine(products: np.ndarray) -> str:
    """A cosine as the sum of the products `[d]` of two vectors of length 1."""
    terms = [_number(product) for product in products[:MOST].tolist()]
    more = [f"… ({len(products) - MOST} more)"] * (len(products) > MOST)
    return f"{' + '.join(terms + more)} = {_number(float(products.sum())).strip('()')}"


def weight(parts: SoftmaxWeight, alpha: float) -> str:
    """A softmax weight; the largest cosine is subtracted first, which changes no weight and keeps the powers small."""
    difference = f"{_number(parts.cosine).strip('()')} − {_number(parts.largest)}"
    return f"e^({alpha:g} · ({difference})) / Σ = {parts.power:.3g} / {parts.total:.4g} = {parts.share:.1%}"


def term(cosine: float, codebooks: int) -> str:
    """A term of a score: the cosine as a share of the mean over all codebooks."""
    return f"{_number(cosine).strip('()')} / {codebooks} = {_number(cosine / codebooks).strip('()')}"


def _number(value: float) -> str:
    """Three decimals, with a minus sign and in brackets if below 0."""
    text = f"{round(value, 3) + 0:.3f}"  # no −0.000
    return f"(−{text[1:]})" if text.startswith("-") else text
