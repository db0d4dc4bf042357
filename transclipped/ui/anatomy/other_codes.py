"""Step 7 by another code: the same query and hit in bits, or in the leaves of trees."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis.reasons import TREES
from transclipped.retrieval.coding.product import decode
from transclipped.ui import cached, reasons
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.pipeline import html
from transclipped.ui.text import plain

PRODUCT, UDH, ITQ = "product", "udh", "itq"
NAMES = {PRODUCT: "Product quantizer", UDH: "Bits: UDH", ITQ: "Bits: ITQ", TREES: "Trees"}
HELP = (
    "The run's own code is the product quantizer's. The others are fitted here, on embeddings decoded from it; they "
    "explain a hit by the bits or leaves that it shares with the query."
)
LEAST = 8  # width d from which the embedding has at least 8·M numbers, one principal axis per bit of ITQ


def names(codebooks: np.ndarray) -> dict[str, str]:
    """The codes to choose from for codebooks `[M, K, d]`."""
    return {name: text for name, text in NAMES.items() if name != ITQ or codebooks.shape[2] >= LEAST}


def heading(name: str, stored) -> str:
    """What such a code compares, in a sentence, see `glossary.prose`."""
    if name == TREES:
        return "Every tree sends [query] and [hit] to a **leaf**, by one question after the other."
    bits = anatomy_cached.bits(stored)
    return f"A [code] can also be **{bits} bits**: query and [hit] are compared bit by bit."


def draw(run, name: str, unit: np.ndarray, row: int) -> str:
    """Draw what a query, as sub-vectors `[M, d]`, and item `row` share by this code; returns a sentence to say."""
    stored = cached.arrays(run)
    code, rows = anatomy_cached.other_code(run.fingerprint, name, run)
    st.caption(
        f"{NAMES[name]}, fitted on {len(rows):,} database images as their codes describe them. {plain(code.stage.idea)}"
    )
    item = decode(stored.codebooks, stored.codes[row : row + 1])[0]
    data = cached.run_data(run)

    def cells(members: list[int]) -> list[html.Cell]:
        ids = stored.database_ids[rows[members]]
        images = cached.images(data).rows_of(ids)
        thumbs = [anatomy_cached.of_row(data, image, anatomy_cached.THUMB) for image in images]
        return [html.Cell(thumb, f"image {i}", None, 0) for thumb, i in zip(thumbs, ids.tolist(), strict=True)]

    examples = reasons.Examples(code.state, code.items, cells, crisp=anatomy_cached.crisp(data))
    return reasons.draw(code.why(unit.ravel(), item), key="why_tree", examples=examples)
