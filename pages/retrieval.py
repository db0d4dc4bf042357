"""Retrieval: ask with a picture, see what the codes find, and why."""

import streamlit as st

from transclipped.datasets.pictures import open_picture
from transclipped.engine import label_names
from transclipped.errors import InputError
from transclipped.ui import cached, charts, galleries, runs
from transclipped.ui.guard import guarded

LARGEST_UPLOAD = 20 << 20  # bytes
HITS = 24
ASK = {"stored": "The run's own", "upload": "Your picture"}


def stored_query(run, searcher):
    """One of the run's own queries: (picture, embedding, label names, number)."""
    last = len(searcher.stored.queries) - 1
    if st.button("A random query", icon=":material/casino:"):
        import random

        st.session_state["query"] = random.randint(0, last)
    if not 0 <= st.session_state.get("query", 0) <= last:  # a link to a run with more queries
        st.session_state["query"] = 0
    number = st.number_input("Query number", 0, last, key="query", bind="query-params")
    row = cached.rows_of_ids(run.fingerprint, run)[searcher.stored.query_ids[number].item()]
    picture = cached.pictures(cached.run_data(run)).picture(row)
    labels = label_names(searcher.stored.query_labels, number, searcher.class_names)
    return picture, searcher.stored.queries[number].astype("float32"), labels, number


def uploaded_query(searcher):
    """A visitor's picture, or None until there is one."""
    file = st.file_uploader("Your picture", help="Up to 20 MB; it stays on this machine and is not kept.")
    if file is None:
        return None
    if file.size > LARGEST_UPLOAD:
        raise InputError(f"{file.name} has {file.size >> 20} MB; choose a picture of at most 20 MB")
    picture = open_picture(file.getvalue(), name=file.name)
    with st.spinner("Loading the network …"):
        return picture, searcher.embed([picture])[0], [], None


def curve(run, number) -> None:
    known = run.metrics()["modes"].get("asymmetric", {}).get("precision")
    if not known:
        return
    st.caption("Share of relevant pictures among the first k hits: this query, and the mean over all queries.")
    lines = {"mean of all queries": (known["k"], known["value"])}
    if number is not None:
        depth = max(known["k"])
        mine = cached.query_precision(run.fingerprint, int(number), depth, run)
        lines = {"this query": (known["k"], [mine[k - 1] for k in known["k"]]), **lines}
    figure = charts.curves(lines, x="k, hits looked at", y="precision", key=f"p{run.name}", log_x=True)
    st.plotly_chart(figure, key="precision")


@guarded
def page(run) -> None:
    searcher = cached.engine(run.fingerprint, run)
    left, right = st.columns([1, 3])
    with left:
        how = st.segmented_control(
            "Ask with", list(ASK), format_func=ASK.get, default="stored", key="how", bind="query-params", required=True
        )
        query = uploaded_query(searcher) if how == "upload" else stored_query(run, searcher)
        if query is None:
            st.info("Choose a picture, or drop one here.")
            return
        picture, embedding, labels, number = query
        from transclipped.ui.tiles import framed

        st.image(framed(picture, None), width=180)
        st.caption(", ".join(labels) or "your picture")
    found = searcher.search(embedding, top=HITS)
    with right:
        st.caption(
            f"The {HITS} most similar of {searcher.index.n:,} pictures, judged by "
            f"{searcher.index.codes.shape[1]} bytes each. Solid blue ✓: shares the query's class. "
            "Dashed orange ✗: does not."
        )
        galleries.hits(run, found, wanted=labels)
    st.divider()
    why, how_good = st.columns(2)
    with why:
        st.subheader("Why this hit?")
        rank = st.slider("Hit", 1, len(found), 1, key="hit", help="Its place in the ranking.")
        st.caption("The score is a sum: each codebook adds the similarity of its sub-vector to the stored codeword.")
        st.plotly_chart(charts.contributions(found[rank - 1].by_codebook, key="why"), key="why")
    with how_good:
        st.subheader("How good is that?")
        curve(run, number)


st.title("Retrieval")
st.caption("A picture asks; the database answers from codes of a few bytes.")
chosen = runs.finished()
if chosen is not None:
    page(chosen)
