"""The parts of the Retrieval page below its first screen; each is computed when its tab is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from transclipped.retrieval.coding.product import decode, encode
from transclipped.runs.compare import siblings
from transclipped.search.searcher import Hit, label_names
from transclipped.ui import cached, charts, quantities, runs
from transclipped.ui.components import gallery
from transclipped.ui.guard import guarded
from transclipped.ui.retrieval import address
from transclipped.ui.retrieval import cached as found
from transclipped.ui.retrieval import charts as drawn
from transclipped.ui.retrieval.query import Place, Question, place, relevant, tiles
from transclipped.ui.retrieval.query import question as asked
from transclipped.ui.text import plain

BESIDE = 8  # hits of each search, side by side
EXTREMES = 12  # hardest and easiest queries
ASK = "Click to ask with it."
LABELS = "Labels are for looking and measuring only: neither training nor search saw them."


def clickable(where: Place, shown: list[gallery.Tile], *, key: str, size: int = gallery.TILE) -> None:
    """A gallery inside a fragment whose images become the query."""
    if gallery.draw(shown, key=key, size=size, on_click=partial(address.ask, where), hint=ASK):
        st.rerun(scope="app")


def share(hits: list[Hit], mask: np.ndarray | None, *, asking: Container[str] = ()) -> str:
    """How many hits are relevant, in words, and whether an image that asks is one; empty where nobody knows."""
    if mask is None or not hits:
        return ""
    itself = ", itself among them" if any(str(hit.id) in asking for hit in hits) else ""
    return f"{sum(bool(mask[hit.row]) for hit in hits)} of {len(hits)} share a class with the query{itself}."


def ties(hits: list[Hit], codes: np.ndarray) -> str:
    """How many hits have a code that another hit has too, in words; empty where none does."""
    groups = Counter(codes[hit.row].tobytes() for hit in hits)
    tied = [n for n in groups.values() if n > 1]
    if not tied:
        return ""
    if len(tied) == 1:
        return f"{tied[0]} hits have the same code, so their order is chance."
    return f"{sum(tied)} hits share their code with others, {max(tied)} one code: among these the order is chance."


def itself_first(hits: list[Hit], asking: Container[str]) -> list[Hit]:
    """Hits in the same order, but an image that asks comes before those of the same score."""
    order = sorted(hits, key=lambda hit: (-hit.score, str(hit.id) not in asking))
    return [replace(hit, rank=rank) for rank, hit in enumerate(order, start=1)]


@st.fragment
@guarded
def searches(where: Place, question: Question, mask: np.ndarray | None) -> None:
    """Asymmetric, symmetric and float search of the same question, side by side."""
    st.caption(
        "The same question three ways. *Asymmetric*: the query stays as it is, the database is codes. *Symmetric*: the "
        "query is coded too, so more items tie. *Float*: nothing is coded; slower and larger, and what codes are to "
        f"come close to. {LABELS}"
    )
    engine, query = where.engine, question.embedding
    coded = decode(engine.stored.codebooks, encode(engine.stored.codebooks, query[None]))[0]
    columns = st.columns(3, gap="medium")
    with columns[0]:
        one_search(where, "asymmetric", engine.search(query, top=BESIDE), mask)
    with columns[1]:
        one_search(where, "symmetric", engine.search(coded, top=BESIDE), mask)
    with columns[2]:
        if not where.is_own:
            st.markdown("**Float**")
            st.info("A collection keeps codes alone. Search the run's own database to see float search.")
            return
        by_floats(where, question, mask)


def by_floats(where: Place, question: Question, mask: np.ndarray | None) -> None:
    """Float search of the whole database where its embeddings are known, else of the best by codes."""
    index, missing, reason = found.floats(where.run)
    if index is not None:
        from transclipped.search.floats import search

        one_search(where, "float", search(where.engine, index, question.embedding, top=BESIDE), mask)
        return
    if reason:
        st.markdown("**Float**")
        st.info(f"Float search is not to be had: {plain(reason)}")
        return
    hits = found.reranked(where.run.fingerprint, question.key, BESIDE, where.run, question.embedding)
    one_search(where, "float", hits, mask)
    st.caption(
        f"Embeddings before coding are needed here, and {missing:,} of {where.engine.index.n:,} are not in the feature "
        f"cache. So float search put only the {min(found.RERANKED, where.engine.index.n)} best by codes in order. "
        "Training a run on the same data and backbone fills the cache."
    )


def one_search(where: Place, mode: str, hits: list[Hit], mask: np.ndarray | None) -> None:
    """The hits of one search, with how many are relevant."""
    st.markdown(f"**{mode.capitalize()}**")
    measured = ((where.run.metrics() or {}).get("modes") or {}).get(mode) or {}
    over_all = f" mAP over all queries: {measured['map']:.3f}." if where.is_own and "map" in measured else ""
    st.caption(share(hits, mask) + over_all)
    clickable(where, tiles(where, hits, mask), key=f"hits {mode}")


@st.fragment
@guarded
def lengths(where: Place, question: Question) -> None:
    """The same question to runs that differ in nothing but their code length."""
    known = runs.all_runs()
    others = siblings(where.run.config, found.settings(known))
    if not others:
        st.info(
            f"No run of the same data, backbone and clipping rule has other than {where.run.config.quantizer.bits} "
            "bits. Train one with another code length to see both here."
        )
        st.page_link("pages/train.py", label="Train a run", icon=":material/model_training:")
        return
    st.caption(
        f"The same question to runs that differ in their code length: fewer bits cost less, and see less. {LABELS}"
    )
    shown = {where.run.config.quantizer.bits: where.run, **{bits: known[name] for bits, name in others.items()}}
    for column, bits in zip(st.columns(len(shown), gap="medium"), sorted(shown), strict=True):
        with column:
            one_length(where, shown[bits], bits, question)


@guarded
def one_length(where: Place, run, bits: int, question: Question) -> None:
    """The hits of one code length."""
    there = place(run, None)
    here = asked(there, question.parts)
    hits, mask = there.engine.search(here.embedding, top=BESIDE), relevant(there.engine, question.labels)
    st.markdown(f"**{bits} bits** · {there.engine.index.codes.shape[1]} bytes an image")
    measured = ((run.metrics() or {}).get("modes") or {}).get("asymmetric") or {}
    over_all = f" mAP over all queries: {measured['map']:.3f}." if "map" in measured else ""
    st.caption(f"{share(hits, mask)}{over_all} {plain(run.name)}")
    clickable(where, tiles(there, hits, mask), key=f"hits {bits}")


@st.fragment
@guarded
def quality(where: Place, question: Question, mask: np.ndarray | None) -> None:
    """Precision of this question and of all, over ranks, over recall and by class."""
    metrics = where.run.metrics() or {}
    known = (metrics.get("modes") or {}).get("asymmetric") if where.is_own else None
    if not known and mask is None:
        st.info("Nobody knows what is relevant here: neither the question nor the database has labels to go by.")
        return
    if mask is None:
        st.caption(f"Nobody has labelled this question, so these are means over all queries. {LABELS}")
    precision, ranking = {}, {}
    if mask is not None:
        depth = known["precision"]["k"][-1] if known else min(1000, where.engine.index.n)
        rows = where.engine.index.search(question.embedding[None], depth).rows[0]
        mine = mask[rows].cumsum() / np.arange(1, len(rows) + 1)
        at = known["precision"]["k"] if known else np.unique(np.geomspace(1, len(rows), 60).astype(int)).tolist()
        precision["this query"] = (at, [float(mine[k - 1]) for k in at])
        recall, values = found.precision_recall(
            where.key, question.key, tuple(question.labels), where.engine, question.embedding, mask
        )
        ranking["this query"] = (recall.tolist(), values.tolist())
    if known:
        precision["mean of all queries"] = (known["precision"]["k"], known["precision"]["value"])
        if curve := known.get("precision_recall"):
            ranking["all queries"] = (curve["recall"], curve["precision"])
        if metrics.get("n_queries", quantities.FEW) < quantities.FEW:
            st.caption(f"Means and classes are of {plain(metrics['n_queries'])} queries only: rough values.")
    left, right = st.columns(2, gap="large")
    with left:
        st.caption("Precision at k: the share of relevant images among the first k hits.", help=LABELS)
        figure = drawn.over_ranks(precision, x="k, hits looked at", y="precision", key="precision", log_x=True)
        charts.show(figure, key="precision", name=f"{where.run.name}-precision")
    with right:
        st.caption("Precision over recall: how clean the ranking is where so much of what is relevant was found.")
        figure = drawn.over_ranks(ranking, x="recall", y="precision", key="ranking", log_x=False)
        charts.show(figure, key="ranking", name=f"{where.run.name}-precision-recall")
    if known and known.get("per_class"):
        st.caption("mAP of each class's queries, best first; ▸ marks the class of this question.", help=LABELS)
        figure = drawn.per_class(known["per_class"], where.own.class_names, question.labels, key="classes")
        charts.show(figure, key="classes", name=f"{where.run.name}-per-class")


@st.fragment
@guarded
def extremes(where: Place, question: Question) -> None:
    """The stored queries that do worst and best, and where this one stands among all."""
    values = found.average_precision(where.run.fingerprint, where.run)
    if values is None:
        st.info("Without labels nobody can say which queries do well.")
        return
    st.caption(
        f"Average precision of each of the {len(values):,} stored queries in the run's own database: 1 if all that is "
        "found is relevant.",
        help=LABELS,
    )
    mine = float(values[question.number]) if question.number is not None else None
    charts.show(drawn.spread(values, mine, key="spread"), key="spread", name=f"{where.run.name}-queries")
    order = np.argsort(values, kind="stable")
    for column, name, numbers in zip(
        st.columns(2, gap="large"), ("hardest", "easiest"), (order[:EXTREMES], order[::-1][:EXTREMES]), strict=True
    ):
        with column:
            st.caption(f"The {name} queries, with their average precision. {ASK}")
            clickable(where, [query_tile(where, number, values) for number in numbers.tolist()], key=name)


def query_tile(where: Place, number: int, values: np.ndarray) -> gallery.Tile:
    """A stored query with its classes and average precision."""
    stored = where.own.stored
    name = str(stored.query_ids[number])
    labels = ", ".join(label_names(stored.query_labels, number, where.own.class_names))
    row = where.row(name)
    shown = None if row is None else gallery.of_row(cached.run_data(where.run), row)
    return gallery.Tile(name, shown, f"{labels} {values[number]:.3f}", title=f"query {number}")
