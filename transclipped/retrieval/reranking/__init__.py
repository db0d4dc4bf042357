"""Refinement of a ranking, one method per file."""

from transclipped.retrieval.reranking import (
    cprr,
    exact,
    flow_queries,
    k_reciprocal,
    propagate,
    query_expansion,
    rocchio,
    sequence,
    uair,
)

__all__ = [
    "cprr",
    "exact",
    "flow_queries",
    "k_reciprocal",
    "propagate",
    "query_expansion",
    "rocchio",
    "sequence",
    "uair",
]
