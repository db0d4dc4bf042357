"""Sections of the Retrieval page beside its hits; each is computed when it is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from contextlib import suppress
from functools import partial

import numpy as np
import streamlit as st

from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode, encode
from transclipped.runs.compare import other_code_lengths
from transclipped.search.searcher import Hit
from transclipped.ui import cached, charts, quantities, runs
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval import address
from transclipped.ui.retrieval import cached as retrieval_cached
from transclipped.ui.retrieval import charts as figures
from transclipped.ui.retrieval import query as queries
from transclipped.ui.retrieval.query import Query, SearchTarget, relevant, tiles
from transclipped.ui.text import plain

BESIDE = 8  # hits of each search, side by side
LARGE, MEDIUM, SMALL = 160, 96, 64  # pixels of an image: five times, three times and twice CIFAR-10's
CLICK = "Click to search with it."
LABELS = "Labels are for display and evaluation only: neither training nor search uses them."


def clickable(target: SearchTarget, images: list[gallery.Tile], *, key: str, size: int = gallery.TILE) -> None:
    """A gallery inside a fragment whose images become the query."""
    if gallery.draw(images, key=key, size=size, on_click=partial(address.search_with, target), hint=CLICK):
        st.rerun(scope="app")


def share(hits: list[Hit], mask: np.ndarray | None, *, query_ids: Container[str] = ()) -> str:
    """How many hits are relevant, and whether a query image is one of them; empty without labels."""
    if mask is None or not hits:
        return ""
    itself = ", including the query itself" if any(str(hit.id) in query_ids for hit in hits) else ""
    return f"{sum(bool(mask[hit.row]) for hit in hits)} of {len(hits)} share a class with the query{itself}."


def ties(hits: list[Hit], codes: np.ndarray) -> str:
    """How many hits share their code with another hit; empty if none does."""
    groups = Counter(codes[hit.row].tobytes() for hit in hits)
    tied = [n for n in groups.values() if n > 1]
    if not tied:
        return ""
    if len(tied) == 1:
        return f"{tied[0]} hits have the same code, so their order is chance."
    return f"{sum(tied)} hits share a code with others, at most {max(tied)} the same; order within a code is chance."


@st.fragment
@shows_input_errors
def searches(target: SearchTarget, query: Query, mask: np.ndarray | None) -> None:
    """Asymmetric, symmetric and float search for the same query, side by side."""
    st.caption(
        "The same query in three searches. *Asymmetric*: the query is not coded, the database is. *Symmetric*: the "
        "query is coded too, so more items tie. *Float*: nothing is coded; slower and larger, the reference that codes "
        f"approximate. {LABELS}"
    )
    searcher, vector, first = target.searcher, query.embedding, query.ids(target)
    coded = decode(searcher.stored.codebooks, encode(searcher.stored.codebooks, vector[None]))[0]
    columns = st.columns(3, gap="medium")
    with columns[0]:
        one_search(target, "asymmetric", searcher.search(vector, top=BESIDE, first=first), mask)
    with columns[1]:
        one_search(target, "symmetric", searcher.search(coded, top=BESIDE, first=first), mask)
    with columns[2]:
        float_search(target, query, mask)


def float_search(target: SearchTarget, query: Query, mask: np.ndarray | None) -> None:
    """Float search of the whole database if its embeddings are cached, else of the best hits by codes."""
    if target.is_collection:
        st.markdown("**Float**")
        st.info("A collection stores codes only. Search the run's own database to see float search.")
        return
    index, missing, reason = retrieval_cached.floats(target.run)
    if index is not None:
        from transclipped.search.floats import search

        one_search(target, "float", search(target.searcher, index, query.embedding, top=BESIDE), mask)
        return
    if reason:
        st.markdown("**Float**")
        st.info(f"Float search is unavailable: {plain(reason)}")
        return
    hits = retrieval_cached.reranked(target.run.fingerprint, query.key, BESIDE, target.run, query.embedding)
    n = target.searcher.index.n
    note = (
        f"Float search needs the embeddings before coding; {missing:,} of {n:,} are not in the feature cache, so only "
        f"the {min(retrieval_cached.RERANKED, n)} best hits by codes were reranked. Training a run on the same data "
        "and backbone fills the cache."
    )
    one_search(target, "float", hits, mask, note=note)


def one_search(target: SearchTarget, mode: str, hits: list[Hit], mask: np.ndarray | None, *, note: str = "") -> None:
    """The hits of one search, with how many are relevant.

    Args:
        note: what to know before looking at them.
    """
    st.markdown(f"**{mode.capitalize()}**")
    if note:
        st.caption(note)
    st.caption(share(hits, mask) + ("" if target.is_collection else _mean(target.run, mode)))
    clickable(target, tiles(target, hits, mask), key=f"hits {mode}")


def _mean(run, mode: str) -> str:
    value = ((cached.metrics(run).get("modes") or {}).get(mode) or {}).get("map")
    return "" if value is None else f" mAP over all queries: {value:.3f}."


@st.fragment
@shows_input_errors
def lengths(target: SearchTarget, query: Query) -> None:
    """The same query on runs that differ only in code length."""
    every, bits, configs = runs.all_runs(), target.run.config.quantizer.bits, {}
    for name, run in every.items():
        with suppress(InputError, ValueError, TypeError):
            if (run.path / "retrieval.npz").exists():
                configs[name] = run.config
    others = other_code_lengths(target.run.config, configs)
    if not others:
        st.info(
            f"No run with the same data, backbone and clipping rule has a code length other than {bits} bits. "
            "Train one to compare."
        )
        st.page_link("pages/train.py", label="Train a run", icon=":material/model_training:")
        return
    st.caption(f"The same query on runs that differ in code length: fewer bits cost less and lose detail. {LABELS}")
    by_bits = {bits: target.run, **{length: every[name] for length, name in others.items()}}
    for column, length in zip(st.columns(len(by_bits), gap="medium"), sorted(by_bits), strict=True):
        with column:
            one_length(target, by_bits[length], length, query)


@shows_input_errors
def one_length(target: SearchTarget, run, bits: int, query: Query) -> None:
    """The hits of one code length."""
    other = queries.target(run, None)
    hits = other.searcher.search(queries.query(other, query.images).embedding, top=BESIDE)
    mask = relevant(other.searcher, query.labels)
    st.markdown(f"**{bits} bits** · {other.searcher.index.codes.shape[1]} bytes per image")
    st.caption(f"{share(hits, mask)}{_mean(run, 'asymmetric')} {plain(run.name)}")
    clickable(target, tiles(other, hits, mask), key=f"hits {bits}")


@st.fragment
@shows_input_errors
def quality(target: SearchTarget, query: Query, mask: np.ndarray | None) -> None:
    """Precision of this query and of all, over ranks, over recall and by class."""
    metrics = target.run.metrics() or {}
    means = None if target.is_collection else (metrics.get("modes") or {}).get("asymmetric")
    if not means and mask is None:
        st.info("Relevance is unknown: neither the query nor the database has labels.")
        return
    if mask is None:
        st.caption(f"This query has no labels, so these are means over all queries. {LABELS}")
    by_rank, by_recall = _query_curves(target, query, mask, means) if mask is not None else ({}, {})
    if means:
        by_rank["mean of all queries"] = (means["precision"]["k"], means["precision"]["value"])
        if curve := means.get("precision_recall"):
            by_recall["all queries"] = (curve["recall"], curve["precision"])
        if metrics.get("n_queries", quantities.FEW) < quantities.FEW:
            st.caption(f"Means over only {plain(metrics['n_queries'])} queries: rough values.")
    left, right = st.columns(2, gap="large")
    with left:
        st.caption("Precision at k: the share of relevant images among the first k hits.", help=LABELS)
        figure = figures.over_ranks(by_rank, x="k, number of hits", y="precision", key="precision", log_x=True)
        charts.show(figure, key="precision", name=f"{target.run.name}-precision")
    with right:
        st.caption("Precision over recall: the precision where this share of all relevant images is found.")
        figure = figures.over_ranks(by_recall, x="recall", y="precision", key="ranking", log_x=False)
        charts.show(figure, key="ranking", name=f"{target.run.name}-precision-recall")
    if means and means.get("per_class"):
        mark = "; ▸ marks the class of this query" if query.labels else ""
        st.caption(f"mAP of the queries of each class, best first{mark}.", help=LABELS)
        names = target.run_searcher.class_names
        figure = figures.per_class(means["per_class"], names, query.labels, key="classes")
        charts.show(figure, key="classes", name=f"{target.run.name}-per-class")


def _query_curves(target: SearchTarget, query: Query, mask: np.ndarray, means: dict | None) -> tuple[dict, dict]:
    """Precision of a query over ranks and over recall, as named lines."""
    index = target.searcher.index
    depth = means["precision"]["k"][-1] if means else min(1000, index.n)
    rows = index.search(query.embedding[None], depth).rows[0]
    precision = mask[rows].cumsum() / np.arange(1, len(rows) + 1)
    ranks = means["precision"]["k"] if means else np.unique(np.geomspace(1, len(rows), 60).astype(int)).tolist()
    labels = tuple(query.labels)
    recall, values = retrieval_cached.precision_recall(
        target.key, query.key, labels, target.searcher, query.embedding, mask
    )
    by_rank = (ranks, [float(precision[k - 1]) for k in ranks])
    return {"this query": by_rank}, {"this query": (recall.tolist(), values.tolist())}
