"""What one codeword stands for: its images, the queries it responds to, and the classes it holds."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import codebooks
from transclipped.ui import cached, charts, runs
from transclipped.ui.codebooks import cached as codebook_cached
from transclipped.ui.codebooks import charts as drawn
from transclipped.ui.codebooks.columns import codebook, having
from transclipped.ui.components import gallery
from transclipped.ui.guard import guarded

IMAGES, RESPONDING = 24, 8
TILE = 64  # pixels of an image: twice CIFAR-10's
ASK = "Click to ask with it on Retrieval."
LABELS = "Observed with labels, which training never saw."
HELP = {
    "information": "Mutual information, in bits, of the code of this codebook and the class, less what shuffled codes "
    "give. " + LABELS,
    "purity": "Share of images that are of their codeword's most frequent class. " + LABELS,
}


@st.fragment
@guarded
def draw(shown: list) -> None:
    """The choice of a codebook, and one codeword of it for each run."""
    st.subheader("What does a codeword stand for?")
    m = codebook(shown)
    for place, run in having(shown, m):
        _codeword(run, m, key="codeword" if place == 0 else "codeword2", wide=len(shown) == 1)


def _codeword(run, m: int, *, key: str, wide: bool) -> None:
    counts = codebook_cached.usage(run.fingerprint, run).counts[m]
    last, chart = len(counts) - 1, f"{key} chart"
    if st.session_state.get(key) is None and key not in st.query_params:
        st.session_state[key] = int(counts.argmax())
    if not 0 <= st.session_state.get(key, 0) <= last:
        st.session_state[key] = 0

    def pick() -> None:
        points = st.session_state[chart].selection.points
        if points:
            st.session_state[key] = int(points[0]["customdata"][0])

    left, right = st.columns([1, 1]) if wide else (st.container(), st.container())
    with left:
        chosen = int(st.number_input("Codeword", 0, last, key=key, bind="query-params", help="Its byte in the code."))
        st.caption("Images of each codeword. Click a point to look inside.")
        figure = drawn.codewords(counts, chosen, key=f"{run.name} {m}")
        charts.show(figure, key=chart, name=f"{run.name}-codebook-{m + 1}", on_select=pick, selection_mode="points")
    with right:
        _held(run, m, chosen, total=int(counts[chosen]))
    _classes(run, m, chosen, key=key, wide=wide)


def _held(run, m: int, word: int, *, total: int) -> None:
    """Images of the database with this codeword, and the queries that lie closest to it."""
    stored = cached.arrays(run)
    rows = codebooks.members(stored.codes[:, m], word, IMAGES)
    if len(rows):
        st.caption(f"{len(rows)} of the {total:,} database images that codebook {m + 1} gives codeword {word}.")
        _tiles(run, stored.database_ids[rows], [""] * len(rows), key="members")
    else:
        st.info(f"Codeword {word} is dead: no image of the database was given it.")
    asked, cosines = codebooks.responding(stored.queries, stored.codebooks, codebook=m, codeword=word, limit=RESPONDING)
    if len(asked):
        st.caption("What it responds to: the queries whose sub-vector is most similar to it, with the cosine.")
        _tiles(run, stored.query_ids[asked], [f"{value:.2f}" for value in cosines], key="responding")


def _tiles(run, ids, texts: list[str], *, key: str) -> None:
    data = cached.run_data(run)
    images = cached.images(data)
    shown = [
        gallery.Tile(str(identity), gallery.of_row(data, images.row_of(identity)), text, title=f"image {identity}")
        for identity, text in zip(ids.tolist(), texts, strict=True)
    ]

    def ask(identity: str) -> None:
        runs.look_at(run.name)  # of two runs side by side it may be the other one
        st.session_state["asked"] = identity

    gallery.draw(shown, key=f"{key} {run.name}", size=TILE, on_click=ask, hint=ASK)
    asked = st.session_state.pop("asked", None)
    if asked is not None:  # `run` is the sidebar's, so it must not be among the parameters
        st.switch_page("pages/retrieval.py", query_params={"query_id": asked})


def _classes(run, m: int, word: int, *, key: str, wide: bool) -> None:
    table = codebook_cached.classes(run.fingerprint, m, run)
    if table is None or not table.sum():
        return
    known = run.record.get("class_names", [])
    names = [known[i] if i < len(known) else str(i) for i in range(table.shape[1])]
    left, right = st.columns([1, 1]) if wide else (st.container(), st.container())
    with left:
        st.caption(f"Classes of the images with codeword {word}. {LABELS}")
        figure = drawn.class_bars(table[word], names, key=f"{key} bars")
        charts.show(figure, key=f"{key} bars", name=f"{run.name}-codeword-{word}-classes")
    with right:
        st.caption(f"Which classes each codeword of codebook {m + 1} holds. {LABELS}")
        figure = drawn.class_map(table, names, key=f"{key} classes")
        charts.show(figure, key=f"{key} classes", name=f"{run.name}-codebook-{m + 1}-classes")
    stored = cached.arrays(run)
    one, two, _ = st.columns([1, 1, 2 if wide else 0.1])
    if stored.database_labels.ndim == 1:
        bits = codebooks.class_information(table)
        one.metric("It tells about the class", f"{bits:.2f} bits", help=HELP["information"])
    two.metric("Purity", f"{codebooks.purity(table):.0%}", help=HELP["purity"])
