"""HTML of the Anatomy page, for what Streamlit's elements draw too slowly; sizes in rem follow the projector scale."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st
from PIL import Image

from transclipped.analysis.anatomy import cut
from transclipped.datasets.images.decode import data_url
from transclipped.ui import glossary
from transclipped.ui.styles import sheet

CSS = sheet(__file__)
STEPS = ("Patches", "Attention", "Embedding", "Sub-vectors", "Codewords", "Bytes", "Score")
SAID = (  # in a lesson, by the last step on the page
    "The network does not look at pixels one by one: it cuts the image into places and describes each by numbers.",
    "Then every place looks at all others and takes from those that matter to it.",
    "What is left of the image is one list of numbers, and similar images get similar lists.",
    "The list is cut into parts, and each part keeps only its direction.",
    "Each part is replaced by the most similar entry of a learned list, its codebook.",
    "So a whole image is stored in a few bytes: the numbers of its codewords.",
    "To search, look up one number per byte and add them: the sum is the similarity of query and hit.",
)


@dataclass(frozen=True)
class Word:
    """A candidate codeword: its number, probability, data URLs of example images, and how the number came about."""

    number: int
    p: float
    images: list[str]
    nearest: bool
    cosine: str = ""
    weight: str = ""


@dataclass(frozen=True)
class Term:
    """A term of a score: its value, the codeword that picks it, and the arithmetic of the value and its cosine."""

    value: float
    word: int
    cosine: str
    term: str


def heading(number: int, sentence: str) -> None:
    """Draw the title of a step and the sentence that explains it, as `glossary.prose`."""
    st.header(f"{number} · {STEPS[number - 1]}", anchor=STEPS[number - 1].lower())
    with st.container(key=f"sentence-{number}"):
        glossary.markdown(sentence)


def patches(whole: np.ndarray, grid: tuple[int, int], *, crisp: bool) -> str:
    """An image `[S, S, 3]` as a grid of tiles, one image to a screen reader."""
    about = "the image" if grid == (1, 1) else f"the image, cut into {grid[0]} × {grid[1]} patches"
    tiles = "".join(f'<img src="{data_url(Image.fromarray(tile), exact=crisp)}" alt="">' for tile in cut(whole, grid))
    look = "an-patches an-crisp" if crisp else "an-patches"
    gap = 6 if grid[1] <= 8 else 3
    columns = f"grid-template-columns: repeat({grid[1]}, 1fr); gap: {gap}px"
    return f'<div class="{look}" role="img" aria-label="{about}" style="{columns}">{tiles}</div>'


def pair(one: str, other: str, *, crisp: bool) -> str:
    """Two images side by side, given as data URLs."""
    look = "an-pair an-crisp" if crisp else "an-pair"
    return f'<div class="{look}"><img src="{one}" alt="the query"><img src="{other}" alt="the hit"></div>'


def candidates(codebook: int, words: list[Word], *, rest: float, others: int, bits: float, crisp: bool) -> str:
    """The card of a codebook: its most likely codewords with images, the share of the others, and the entropy."""
    top = max(word.p for word in words)
    lines = "".join(_word(word, top, crisp) for word in words)
    left = f"the other {others}: {rest:.0%} together" if others else ""
    return (
        f'<div class="an-card"><h3>Codebook {codebook}</h3>'
        f"<p>{bits:.1f} bits: as uncertain as a choice among {2**bits:.{0 if bits > 3.3 else 1}f}</p>"
        f"{lines}<p>{left}</p></div>"
    )


def cards(inner: list[str], *, width: float) -> str:
    """Cards side by side, each at least `width` rem wide."""
    columns = f"grid-template-columns: repeat(auto-fit, minmax(min(100%, {width}rem), 1fr))"
    return f'<div class="an-cards" style="{columns}">{"".join(inner)}</div>'


def byte(codebook: int, decimal: str, hexadecimal: str, bits: str) -> str:
    """One byte of the code in decimal, hexadecimal and binary."""
    return (
        f'<div class="an-card an-byte"><div>codebook {codebook}: codeword {decimal}</div>'
        f'<div class="an-hex">{hexadecimal}</div><code>{bits}</code></div>'
    )


def total(terms: list[Term], score: float) -> str:
    """A score as the sum of its terms, each of which unfolds its arithmetic."""
    parts = [
        f"<details><summary><b>{term.value:.3f}</b><small>table {m}</small></summary><p>Codeword {term.word}: cosine"
        f"<br>{term.cosine}</p><p>Divided by the number of codebooks:<br>{term.term}</p></details>"
        for m, term in enumerate(terms, 1)
    ]
    size = "" if len(terms) <= 4 else ' style="font-size: 1.4rem"'
    result = f"<span>=</span><span><b>{score:.3f}</b><small>score</small></span>"
    return f'<div class="an-sum"{size}>{"<span>+</span>".join(parts)}{result}</div>'


def _word(word: Word, top: float, crisp: bool) -> str:
    images = "".join(f'<img src="{escape(source)}" alt="">' for source in word.images) or "<small>no image</small>"
    star = " ★" if word.nearest else ""
    width = max(1.0, 100 * word.p / max(top, 1e-12))
    examples = (
        f'role="img" aria-label="{len(word.images)} image{"s"[: len(word.images) != 1]} of codeword {word.number}"'
    )
    return (
        f'<details class="an-word"><summary><b>{word.number}{star}</b><div><div class="an-bar" '
        f'style="width: {width:.1f}%"></div><small>{word.p:.1%}</small></div>'
        f"<span {examples}{' class=an-crisp' if crisp else ''}>{images}</span></summary>"
        f"<p>Cosine, the sum of products:<br>{word.cosine}</p><p>Softmax weight:<br>{word.weight}</p></details>"
    )
