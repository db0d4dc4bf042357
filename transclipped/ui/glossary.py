"""The words of the app, each with one plain sentence, and `term`, which explains a word where it first stands."""

from __future__ import annotations

import re
from html import escape

import streamlit as st

from transclipped.ui.text import plain

TERMS = {
    "adaptive": "A clipping rule whose threshold is each anchor's own mean similarity plus c standard deviations.",
    "anchor": "The image being trained on: its loss pulls its positive closer and pushes its negatives away.",
    "asymmetric distance": "Compares the query's exact embedding with codewords; only the database is coded.",
    "attention": "How much each place of an image takes from every other place; the shares of a row sum to 1.",
    "average precision": "The mean of the precisions at the ranks of a query's relevant hits.",
    "backbone": "The large network that turns an image into features; it was trained beforehand and stays fixed.",
    "batch": "The images that one training step looks at together.",
    "clamp": "Lowers the similarity of a clipped pair to the rule's threshold, where it counts but gets no push.",
    "clipping": "Leaving the most similar negatives out of the loss, since they are often of the anchor's own class.",
    "code": "A few bytes that stand for an image: one codeword number per codebook.",
    "codebook": "A learned list of typical sub-vectors, its codewords; each part of the embedding has its own.",
    "codeword": "One of a codebook's typical sub-vectors; its number is one byte of the code.",
    "cosine": "Similarity of two vectors' directions, from −1 (opposite) over 0 (unrelated) to 1 (the same).",
    "database": "The images that are searched; only their codes are needed for that.",
    "dead codeword": "A codeword that no image of the database uses.",
    "distilled": "Trained to imitate the features of a larger network.",
    "embedding": "The list of numbers that the network computes for an image; similar images should get similar lists.",
    "entropy": "How uncertain a choice is, in bits; 0 where it is certain.",
    "epoch": "One pass over all training images.",
    "F1": "One number for precision and recall together, high only where both are: their harmonic mean.",
    "false negative": "A negative that shows the anchor's class: the loss pushes it away although it belongs close.",
    "gallery": "Images shown side by side.",
    "Gaussian mixture": "Fits two bell curves to the similarities and cuts where the upper one takes over.",
    "head": "The small network on top of the backbone that is trained here; it turns features into the embedding.",
    "hit": "A database image that a search returns.",
    "hybrid": "A backbone of two parts: a small CNN turns the image into places, and a transformer compares them.",
    "inverted U": "A curve that rises and falls again: some clipping helps, too much destroys the embedding.",
    "lab set": "Features of a few thousand images, stored with the app, on which a head trains in seconds.",
    "loss": "The number that training lowers; here it falls as positives get closer and negatives farther apart.",
    "mAP": "Mean average precision: how early the relevant hits come, averaged over all queries; 1 is perfect.",
    "mAP@K": "Mean average precision over the first K hits: how early the relevant ones come; 1 is perfect.",
    "nats": "The unit of a loss with natural logarithms; 1 nat is 1.44 bits.",
    "negative": "Any other image of the batch, seen from the anchor; the loss pushes it away, whatever it shows.",
    "Otsu": "A method that cuts a histogram in two so that the values within each part differ least.",
    "patch": "One square of the grid into which an image is cut.",
    "perplexity": "How many codewords are in use, counted as if all were used equally often.",
    "positive": "The anchor's other view, which shows the same image and should get the same embedding.",
    "precision": "The share of what was chosen that was right to choose.",
    "product quantizer": "It cuts an embedding into parts and replaces each by its nearest codeword.",
    "protocol": "Which images are trained on, are queries and are searched; results compare within one protocol only.",
    "purity": "The share of the most frequent class among the images that use a codeword.",
    "quantizer": "The part that replaces an embedding by codewords, so that a few bytes are enough to search.",
    "query": "The image that is searched with.",
    "rank": "A clipping rule that clips a fixed share q of each anchor's negatives, the most similar first.",
    "ranker": "Anything that sorts the database for a query: a network with a distance, a code, a whole pipeline.",
    "re-ranking": "Sorting the hits of a search once more, mostly by what their own neighbours say.",
    "recall": "The share of all that should have been chosen that was chosen.",
    "relevant": "Sharing a class with the query.",
    "remove": "Takes a clipped pair out of the loss altogether.",
    "repulsion": "How hard the loss pushes negatives away from their anchor; the most similar ones are pushed hardest.",
    "run": "One training: its settings, its curves, the trained head and the database's codes.",
    "seed": "The number that fixes all random choices, so that the same settings give the same result.",
    "softmax weight": "A share made of a similarity s: e^(s/τ) divided by its sum over all candidates.",
    "stem": "The first layers of a network, which turn pixels into its first map of features.",
    "sub-vector": "One of the equal parts into which an embedding is cut; each gets a codeword from its own codebook.",
    "subspace": "The space of one part of the embedding; each has its own codebook.",
    "temperature": "Divides every similarity in the loss; the lower it is, the more the most similar negatives count.",
    "threshold": "A clipping rule that clips every negative more similar to the anchor than δ.",
    "token": "What the transformer computes with: one list of numbers per place of the image.",
    "true negative": "A negative of another class, which is right to be pushed away.",
    "trustworthiness": "How far neighbours on the map are neighbours in the embedding as well; 1 if all are.",
    "UMAP": "A method that draws a map on which similar embeddings are close; distances far apart mean little.",
    "validation": "Images held out of training to watch it.",
    "view": "An image as training sees it: cropped, mirrored or recoloured at random; each image has two.",
    "whitening": "Scaling the principal directions to equal variance, so that frequent features count less.",
}
_MARKED = re.compile(r"\[([^\]]+)\](?:\(([^)]+)\))?")  # [word] or [words](entry)


def term(name: str, text: str | None = None) -> str:
    """A word with its explanation, as HTML for `st.html`, and for Markdown with HTML, see `markdown` and `caption`.

    It is dotted; hovering, tapping or focusing it shows the sentence, and a screen reader reads that as its
    description. Use it where a word first stands on a page, once. Labels of controls hold no HTML.

    Args:
        name: a key of `TERMS`.
        text: the word as the sentence around it needs it, such as a plural; `name` by default.
    """
    number = f"term-{name.lower().replace(' ', '-').replace('@', '-at-')}"
    return (
        f'<span class="term" tabindex="0" aria-describedby="{number}">{escape(text or name)}'
        f'<span class="term-meaning" role="tooltip" id="{number}">{escape(TERMS[name])}</span></span>'
    )


def prose(text: str) -> str:
    """HTML of plain text in which `[view]` or `[views](view)` is a word with its explanation; the rest is escaped."""
    parts, end = [], 0
    for match in _MARKED.finditer(text):
        parts += [escape(text[end : match.start()]), term(match[2] or match[1], match[1])]
        end = match.end()
    return "".join(parts) + escape(text[end:])


def caption(text: str) -> None:
    """Draw a caption of `prose`, whose Markdown counts: for texts of the app's own, numbers included."""
    st.caption(prose(text), unsafe_allow_html=True)


def markdown(text: str, **foreign: object) -> None:
    """Draw Markdown of `prose`; `{name}` in it stands for the foreign text of that name."""
    text = prose(text)
    for name, value in foreign.items():
        text = text.replace(f"{{{name}}}", plain(value))
    st.markdown(text, unsafe_allow_html=True)


def paragraph(text: str) -> None:
    """Draw a paragraph of `prose`."""
    st.html(f'<p class="prose">{prose(text)}</p>')
