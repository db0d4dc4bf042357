"""One codeword: its images, the queries most similar to it, and its classes."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import codebooks
from transclipped.runs.run import RunDir
from transclipped.ui import cached, charts, presenting, runs
from transclipped.ui.codebooks import cached as codebook_cached
from transclipped.ui.codebooks import charts as figures
from transclipped.ui.codebooks.sections import with_codebook
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

IMAGES, QUERIES = 24, 8
TILE = 64  # pixels of an image: twice CIFAR-10's
WIDE, NUMBER = 1200, 160  # px, greatest width of a run, and of the number of the codeword
LABELS = "Computed with labels, which training never uses."
HELP = {
    "information": "Mutual information of class and codeword in bits, minus that of shuffled codes. " + LABELS,
    "purity": "Share of images in the most frequent class of their codeword. " + LABELS,
}


@st.fragment
@shows_input_errors
def draw(pair: list[RunDir], m: int) -> None:
    """One codeword of codebook `m` for each run: its images first, then its usage and its classes."""
    st.header("What does a codeword stand for?")
    for i, run in with_codebook(pair, m, width=WIDE):
        _codeword(run, m, key="codeword" if i == 0 else "codeword2", wide=len(pair) == 1)


def _halves(wide: bool):
    return st.columns(2, gap="medium") if wide else (st.container(), st.container())


def _codeword(run: RunDir, m: int, *, key: str, wide: bool) -> None:
    counts = codebook_cached.usage(run.fingerprint, run).counts[m]
    last, chart = len(counts) - 1, f"{key} chart"
    if st.session_state.get(key) is None and key not in st.query_params:
        st.session_state[key] = int(counts.argmax())
    if not 0 <= st.session_state.get(key, 0) <= last:
        st.session_state[key] = 0

    def select() -> None:
        points = st.session_state[chart].selection.points
        if points:
            st.session_state[key] = int(points[0]["customdata"][0])

    left, right = _halves(wide)
    with left:
        options = {"help": "Its byte in the code.", "width": round(NUMBER * presenting.scale())}
        word = int(st.number_input("Codeword", 0, last, key=key, bind="query-params", **options))
        _images(run, m, word, total=int(counts[word]))
    with right:
        st.caption("Images per codeword. Click a point to select its codeword.")
        figure = figures.codewords(counts, word, key=f"{run.name} {m}")
        charts.show(figure, key=chart, name=f"{run.name}-codebook-{m + 1}", on_select=select, selection_mode="points")
        table = _table(run, m)
        if table is not None:
            names = _names(run, table)
            st.caption(f"Classes of the images with codeword {word}. {LABELS}")
            figure = figures.class_bars(table[word], names, key=f"{key} bars")
            charts.show(figure, key=f"{key} bars", name=f"{run.name}-codeword-{word}-classes")
    if table is not None:
        _classes(run, m, table, names, key=key)
        if key == "codeword" and table[word].any():
            presenting.say(sentence(table[word], names, word))


def sentence(counts: np.ndarray, names: list[str], word: int) -> str:
    """What to say about a codeword with these numbers of images by class, as Markdown."""
    share, name = counts.max() / counts.sum(), plain(names[int(counts.argmax())])
    if share < 0.5:
        return f"Codeword {word} mixes classes: the most frequent, *{name}*, has {share:.0%} of its images."
    return f"No label was used, and yet {share:.0%} of the images with codeword {word} show the class *{name}*."


def _table(run: RunDir, m: int) -> np.ndarray | None:
    """Images by codeword and class; None without labels."""
    table = codebook_cached.classes(run.fingerprint, m, run)
    return None if table is None or not table.sum() else table


def _names(run: RunDir, table: np.ndarray) -> list[str]:
    names = list(run.record.get("class_names", []))[: table.shape[1]]
    return names + [str(i) for i in range(len(names), table.shape[1])]


def _images(run, m: int, word: int, *, total: int) -> None:
    """Database images with this codeword, and the queries most similar to it."""
    stored = cached.arrays(run)
    rows = codebooks.members(stored.codes[:, m], word, IMAGES)
    if len(rows):
        _tiles(run, stored.database_ids[rows], [""] * len(rows), key="members")
        st.caption(f"{len(rows)} of the {total:,} database images with codeword {word} in codebook {m + 1}.")
    else:
        st.info(f"Codeword {word} is dead: no database image uses it.")
    queries, cosines = codebooks.responding(stored.queries, stored.codebooks, codebook=m, codeword=word, limit=QUERIES)
    if len(queries):
        st.caption("Queries whose sub-vector is most similar to this codeword, with the cosine.")
        _tiles(run, stored.query_ids[queries], [f"{value:.2f}" for value in cosines], key="responding")


def _tiles(run, ids, texts: list[str], *, key: str) -> None:
    data = cached.run_data(run)
    images = cached.images(data)
    tiles = [
        gallery.Tile(str(identity), gallery.of_row(data, images.row_of(identity)), text, title=f"image {identity}")
        for identity, text in zip(ids.tolist(), texts, strict=True)
    ]

    def query(identity: str) -> None:
        runs.look_at(run.name)  # with two runs side by side, it may be the other one
        st.session_state["asked"] = identity

    gallery.draw(tiles, key=f"{key} {run.name}", size=TILE, on_click=query, hint="Click to search with this image.")
    identity = st.session_state.pop("asked", None)
    if identity is not None:  # without `run`, which the sidebar adds
        st.switch_page("pages/retrieval.py", query_params={"query_id": identity})


def _classes(run: RunDir, m: int, table: np.ndarray, names: list[str], *, key: str) -> None:
    """Classes of all codewords of a codebook, and how much it tells about the class."""
    st.caption(f"Classes of each codeword of codebook {m + 1}. {LABELS}")
    figure = figures.class_map(table, names, key=f"{key} classes")
    charts.show(figure, key=f"{key} classes", name=f"{run.name}-codebook-{m + 1}-classes")
    with st.container(horizontal=True, gap="large"):
        if cached.arrays(run).database_labels.ndim == 1:
            bits = codebooks.class_information(table)
            st.metric("Information about the class", f"{bits:.2f} bits", help=HELP["information"], width="content")
        st.metric("Purity", f"{codebooks.purity(table):.0%}", help=HELP["purity"], width="content")
