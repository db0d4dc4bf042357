"""The glossary: what the field's words mean, one sentence each, and text whose words explain themselves.

A word with an entry is dotted; its sentence appears while the pointer rests on it or the keyboard's focus is on it, and
screen readers read it as the description of the word.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import streamlit as st

from transclipped.ui.styles import sheet

TERMS = {
    "adaptive": "A rule whose threshold follows each anchor: the mean of its similarities plus c standard deviations.",
    "anchor": "The image from which the loss looks at the others: its other view attracts it, all others repel it.",
    "asymmetric distance": "A comparison of a query's exact numbers with the codewords of a stored image.",
    "average precision": "The mean of the precisions at the ranks of a query's relevant hits.",
    "backbone": "The network that turns an image into a list of numbers; here it starts from ImageNet-trained parts.",
    "batch": "The images that are compared with each other in one step of training.",
    "clamp": "A treatment that keeps a clipped pair in the loss at a constant similarity, so that it no longer pushes.",
    "clipping": "Leaving likely false negatives out of the loss, so that images of one class are not pushed apart.",
    "code": "The stored form of an image: the number of one codeword from each codebook, a few bytes in all.",
    "codebook": "A list of codewords, learned in training; each codebook covers one part of the embedding.",
    "codeword": "One entry of a codebook: a typical direction that stands for all that are close to it.",
    "cosine": "Similarity of two directions: 1 for the same direction, 0 for a right angle, −1 for opposite ones.",
    "database": "The images that are searched.",
    "embedding": "The list of numbers that a network computes from an image; similar images should have similar lists.",
    "entropy": "How undecided a choice is, in nats or bits; 0 if one option has all the weight.",
    "F1": "The harmonic mean of precision and recall.",
    "false negative": "A negative of the anchor's own class: pushing it away harms retrieval.",
    "head": "The small part that is trained here: a linear map and the codebooks, on top of the backbone.",
    "hybrid": "A vision transformer whose tokens come from a small CNN instead of raw patches.",
    "hit": "An image that a search returns.",
    "inverted U": "A curve that rises and falls again: some clipping helps, too much destroys the embedding.",
    "lab set": "A set of 5,000 training images in three views with their embeddings, small enough to train a head in seconds.",
    "mAP@K": "The mean over all queries of the average precision within the first K hits; 1 is perfect.",
    "nats": "The unit of entropy and loss with natural logarithms; one nat is about 1.44 bits.",
    "negative": "Any image of the batch other than the anchor; training pushes it away from the anchor.",
    "Otsu": "A method that splits a histogram into two groups of least variance.",
    "perplexity": "The number of codewords that would be in use if all were used equally often.",
    "positive": "The other view of the anchor's image; training pulls it closer.",
    "precision": "The share of the chosen that are right.",
    "product quantizer": "It cuts an embedding into parts and replaces each by its nearest codeword.",
    "protocol": "Which images are queries, which are searched, and which train.",
    "quantizer": "The part that turns an embedding into a code.",
    "query": "The image with which one searches.",
    "rank": "A rule that clips a fixed share of each anchor's most similar negatives.",
    "recall": "The share of the right ones that were chosen.",
    "remove": "A treatment that takes a clipped pair out of the loss.",
    "repulsion": "The push on the negatives; the softmax weight of a negative is its share of it.",
    "softmax weight": "The share of an anchor's push that one negative receives; the shares sum to 1.",
    "stem": "The first layers of the hybrid, a CNN that turns the image into a map of tokens.",
    "subspace": "The part of the embedding that one codebook covers.",
    "temperature": "τ: how strongly the most similar negatives dominate the loss; small values mean strongly.",
    "threshold": "δ: negatives more similar to the anchor than this are clipped.",
    "token": "One element of a transformer's input: here a place of the image.",
    "true negative": "A negative of another class: pushing it away is right.",
    "UMAP": "A method that draws a map on which similar embeddings are close; distances far apart mean little.",
    "view": "An altered copy of an image: cropped, mirrored, recoloured.",
    "whitening": "Scaling the principal directions to equal variance, so that frequent features count less.",
}
STYLE = sheet(Path(__file__))
_MARKED = re.compile(r"\[([^\]]+)\](?:\(([^)]+)\))?")  # [word] or [words](entry)


def term(name: str, text: str | None = None) -> str:
    """HTML of a dotted word with its tooltip.

    Args:
        name: an entry of `TERMS`.
        text: the words to show; the entry by default.
    """
    shown, tip = html.escape(text or name), html.escape(TERMS[name])
    return f'<span class="term" tabindex="0">{shown}<span class="tip" role="tooltip">{tip}</span></span>'


def prose(text: str) -> str:
    """HTML of plain text in which `[view]` or `[views](view)` is a dotted word; everything else is escaped."""
    parts, end = [], 0
    for match in _MARKED.finditer(text):
        parts += [html.escape(text[end : match.start()]), term(match[2] or match[1], match[1])]
        end = match.end()
    return "".join(parts) + html.escape(text[end:])


def paragraph(text: str) -> None:
    """Draw a paragraph of `prose`."""
    st.html(f'{STYLE}<p class="prose">{prose(text)}</p>')
